import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

const LOWEST = 10_000
const TRIES = 1_000

/** Ports of the loopback interface that nobody listens at, as many as are asked for. */
export async function freePorts(count) {
  const held = []
  try {
    while (held.length < count) held.push(await holdOne())
    return held.map((server) => server.address().port)
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))))
  }
}

/**
 * Not one that the system hands out to connections: while a server is stopped and started again, somebody's connection
 * could have its port, one that asks at that very port whether the server is back for instance.
 */
async function holdOne() {
  const end = firstOfConnections()
  for (let tried = 0; ; tried++) {
    const port = LOWEST + Math.floor(Math.random() * (end - LOWEST))
    const server = createServer()
    try {
      await new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, '127.0.0.1', resolve)
      })
      return server
    } catch (error) {
      if (error.code !== 'EADDRINUSE' || tried === TRIES) throw error
    }
  }
}

/** The first port that connections get. */
function firstOfConnections() {
  try {
    const [first] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s/)
    return Math.max(LOWEST + 1_000, Number(first))
  } catch {
    // macOS and Windows have those above.
    return 49_152
  }
}
