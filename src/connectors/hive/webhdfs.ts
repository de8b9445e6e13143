import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { MerganserError } from '../../core/errors.ts'
import { channelError } from './client/channel.ts'

/** How long nothing may come or go, and how long an answer may take once it has begun. */
const HTTP_MILLISECONDS = 60_000

/**
 * Brings a file to where a CREATE's URL says: the name node answers with the address of a data node, which takes the
 * bytes. Throws DATABASE_REFUSED, CONNECTION_LOST, TIME_LIMIT.
 */
export async function upload(url: URL, path: string, milliseconds = HTTP_MILLISECONDS): Promise<void> {
  const { statusCode, headers } = await send('PUT', url, undefined, milliseconds)
  const { location } = headers
  if (statusCode !== 307 || location === undefined) throw refused(statusCode)
  const taken = await send('PUT', dataNode(location, url), path, milliseconds)
  if (taken.statusCode !== 201) throw refused(taken.statusCode)
}

/** Asks a DELETE's URL. Throws as `upload`. */
export async function remove(url: URL): Promise<void> {
  await send('DELETE', url, undefined, HTTP_MILLISECONDS)
}

/** Where the bytes go: over TLS if the name node was asked so. */
function dataNode(location: string, url: URL): URL {
  const target = URL.canParse(location, url.href) ? new URL(location, url) : undefined
  if (target?.protocol === 'https:' || (target?.protocol === 'http:' && url.protocol === 'http:')) return target
  throw new MerganserError('DATABASE_REFUSED', 'WebHDFS sends us to an address that is none, or one without TLS', {
    advice: 'look at the option webhdfs, and at the addresses that its data nodes are known by',
  })
}

async function send(
  method: 'PUT' | 'DELETE',
  url: URL,
  path: string | undefined,
  milliseconds: number,
): Promise<IncomingMessage> {
  const size = path === undefined ? 0 : (await stat(path)).size
  const headers = { 'content-length': String(size), 'content-type': 'application/octet-stream' }
  const options: RequestOptions = { method, headers, timeout: milliseconds }
  return await new Promise((resolve, reject) => {
    let answering: NodeJS.Timeout | undefined
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options, (response) => {
      answering = setTimeout(late, milliseconds)
      response.resume()
      response.on('end', () => {
        resolve(response)
      })
      response.on('error', failed)
    })
    const late = () => {
      request.destroy(new MerganserError('TIME_LIMIT', 'WebHDFS gave no answer in time'))
    }
    const failed = (error: Error) => {
      reject(error instanceof MerganserError ? error : lost(error))
    }
    request.on('timeout', late)
    request.on('error', failed)
    request.on('close', () => {
      clearTimeout(answering)
      failed(new Error('closed'))
    })
    if (path === undefined) request.end()
    else createReadStream(path).on('error', reject).pipe(request)
  })
}

function lost(cause: Error): MerganserError {
  if (channelError(cause).failure === 'certificate') {
    return new MerganserError('DATABASE_REFUSED', 'the certificate of WebHDFS is not trusted', {
      cause,
      advice:
        'the host must be named as its certificate names it; NODE_EXTRA_CA_CERTS names a file of further authorities',
    })
  }
  return new MerganserError('CONNECTION_LOST', 'WebHDFS cannot be reached', {
    cause,
    advice: 'look at the option webhdfs',
  })
}

function refused(status: number | undefined): MerganserError {
  return new MerganserError('DATABASE_REFUSED', `WebHDFS refuses a file (HTTP status ${String(status)})`, {
    advice: 'look at the option webhdfs, and whether the user may write there',
  })
}
