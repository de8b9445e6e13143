import { createWriteStream } from 'node:fs'
import { mkdir, rm, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, normalize } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** A server of WebHDFS on the local file system: the server's side of the protocol, for what a client of ours asks. */
export interface WebHdfs {
  /** `http://127.0.0.1:port`, without a directory. */
  readonly url: string
  /** What was asked: `CREATE /a/b`, `write /a/b`, `DELETE /a/b`. */
  readonly calls: readonly string[]
  /** From now on it answers everything with this status, until it is undefined. */
  refuse(status: number | undefined): void
  close(): Promise<void>
}

const PREFIX = '/webhdfs/v1'

/**
 * As a name node and a data node do it: a CREATE without bytes is answered with another address (307), which takes them
 * (201). Paths are those of the local file system, below `root` only.
 */
export async function startWebHdfs(root: string): Promise<WebHdfs> {
  const calls: string[] = []
  let refused: number | undefined

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url!, `http://${request.headers.host!}`)
    const path = normalize(decodeURIComponent(url.pathname.slice(PREFIX.length)))
    const allowed = url.pathname.startsWith(PREFIX) && path.startsWith(`${root}/`) && url.searchParams.has('user.name')
    const operation = `${request.method!} ${url.searchParams.get('op') ?? ''}`
    if (refused !== undefined || !allowed) {
      request.resume()
      response.writeHead(refused ?? 403).end()
    } else if (operation === 'PUT CREATE' && !url.searchParams.has('datanode')) {
      calls.push(`CREATE ${path}`)
      url.searchParams.set('datanode', 'true')
      request.resume()
      response.writeHead(307, { Location: url.href }).end()
    } else if (operation === 'PUT CREATE') {
      calls.push(`write ${path}`)
      await mkdir(dirname(path), { recursive: true })
      const mode = parseInt(url.searchParams.get('permission') ?? '644', 8)
      await pipeline(request, createWriteStream(path, { mode }))
      response.writeHead(201, { Location: `hdfs://local${path}` }).end()
    } else if (operation === 'DELETE DELETE') {
      calls.push(`DELETE ${path}`)
      const there = await stat(path).then(
        () => true,
        () => false,
      )
      await rm(path, { force: true })
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ boolean: there }))
    } else {
      response.writeHead(400).end()
    }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.writeHead(500).end())
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    calls,
    refuse(status) {
      refused = status
    },
    async close() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}
