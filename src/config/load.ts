import { isAbsolute, join } from 'node:path'
import { utf8Text } from '../core/bytes.ts'
import { MerganserError } from '../core/errors.ts'
import { defaultConfig, type Config, type Environment } from './config.ts'

/** Where a configuration comes from. */
export interface ConfigSource {
  /** Absolute. `merganser.yaml` is looked for here. */
  readonly cwd: string
  /** What `--config` names; it must be there. */
  readonly file?: string
  /** For `${NAME}` in the file. */
  readonly env: Environment
  /** Whole contents, or undefined where there is no such file. */
  readonly readFile: (path: string) => Promise<Uint8Array | undefined>
  /** The types of replicas that there are. */
  readonly types: readonly string[]
}

const CONFIG_FILE = 'merganser.yaml'
const MAX_FILE_BYTES = 256 * 1024

/**
 * The configuration of `--config FILE`, or of `merganser.yaml` in the working directory, or the default one.
 * Throws BAD_CONFIG or BAD_SCHEMA with `file:line:column` where something in it is wrong.
 */
export async function loadConfig(source: ConfigSource): Promise<Config> {
  const named = source.file ?? CONFIG_FILE
  const path = isAbsolute(named) ? named : join(source.cwd, named)
  const bytes = await readBytes(source, path, named)
  if (bytes === undefined) {
    if (source.file === undefined) return defaultConfig(source.cwd)
    throw new MerganserError('BAD_CONFIG', 'there is no such configuration file', { place: { file: named } })
  }
  if (bytes.length > MAX_FILE_BYTES) {
    throw new MerganserError('BAD_CONFIG', 'a configuration file has at most 256 KiB', { place: { file: named } })
  }
  const text = utf8Text(bytes)
  if (text === undefined) {
    throw new MerganserError('BAD_CONFIG', 'a configuration file is text in UTF-8', { place: { file: named } })
  }
  // The parser and the schema's library are loaded only where there is something to read.
  const { parseConfig } = await import('./parse.ts')
  return parseConfig(text, { file: named, path, cwd: source.cwd, env: source.env, types: source.types })
}

async function readBytes(source: ConfigSource, path: string, named: string): Promise<Uint8Array | undefined> {
  try {
    return await source.readFile(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    const reason = code === 'EISDIR' ? 'it is a directory' : code === 'EACCES' ? 'no permission' : code
    throw new MerganserError('BAD_CONFIG', `the configuration file can't be read: ${reason}`, {
      place: { file: named },
      cause: error,
    })
  }
}
