import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { MerganserError } from '../../../core/errors.ts'
import type { HiveConfig } from './config.ts'

/** The options of TLS, as Node names them; undefined without TLS. */
export async function tlsOptions(config: HiveConfig): Promise<ConnectionOptions | undefined> {
  if (config.tls === false) return undefined
  const { caFile, serverName, insecure } = config.tls
  const name = serverName ?? config.host
  return {
    rejectUnauthorized: insecure !== true,
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...(caFile === undefined ? {} : { ca: await readCertificates(caFile) }),
  }
}

async function readCertificates(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (error) {
    throw new MerganserError('BAD_CONFIG', 'the file of trusted certificates for Hive cannot be read', {
      place: { file },
      cause: error,
    })
  }
}
