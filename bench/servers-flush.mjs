import { join } from 'node:path'
import { openSession } from '../dist/index.js'
import { fresh } from './merganser.mjs'
import { inPairs, measured } from './pairs.mjs'
import { timed } from './processes.mjs'
import { setRows, shuffledKeys, TABLES } from './rows.mjs'
import { freshDatabase } from './servers.mjs'

const REPLICA = 'OURS'
const AGES = ['fresh', 'newer']

/**
 * Flushes of a session into a server, from the cache to the server's confirmation (rows gathered, sent to the lane's
 * thread, encoded, written), as SYNC and the end of a run do it; against a reference on the same server. Into an empty
 * table, then the same keys with later stamps. Each pair has databases of its own.
 * @param makeReference `(url, keys, directory)`: gives works by age, and `close`
 * @param lines by age: what a line of the results has besides
 */
export async function compareFlushes({ kind, directory, rows, pairs, makeReference, lines }) {
  const [first, ...keys] = shuffledKeys(rows + 1)
  const measurements = { fresh: [], newer: [] }
  for (let i = 0; i < pairs; i++) {
    const one = await fresh(directory, (own) => pairOf({ kind, directory: own, first, keys, makeReference, round: i }))
    for (const age of AGES) measurements[age].push(...one[age])
  }
  return AGES.map((age) => measured({ ...lines[age], pairs: measurements[age], count: rows, unit: 'rows' }))
}

async function pairOf({ kind, directory, first, keys, makeReference, round }) {
  const databases = [await freshDatabase(kind), await freshDatabase(kind)]
  const [{ url }, other] = databases
  let reference
  let session
  try {
    reference = await makeReference(other.url, keys, directory)
    const replicas = { [REPLICA]: { type: kind, url } }
    session = await openSession({ tables: TABLES, replicas, state: join(directory, 'state') })
    // The table is there from now on, and everything has been loaded once.
    await setRows(session, REPLICA, [first], 0)
    await session.sync(REPLICA)
    let value = 0
    const ours = async () => {
      await setRows(session, REPLICA, keys, ++value)
      return await timed(() => session.sync(REPLICA))
    }
    const result = {}
    for (const age of AGES) result[age] = await inPairs(1, ours, () => timed(reference[age]), round)
    return result
  } finally {
    await session?.close()
    await reference?.close?.()
    for (const { drop } of databases) await drop()
  }
}
