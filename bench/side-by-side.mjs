import { join } from 'node:path'
import { openSession } from '../dist/index.js'
import { atMost, inPairs, measured } from './pairs.mjs'
import { timed } from './processes.mjs'
import { setRows, shuffledKeys, TABLES } from './rows.mjs'

const REPLICAS = ['HIVE', 'POSTGRESQL', 'MONGODB']

/**
 * The flushes of one session into its three embedded databases at the same time, against the slowest of them alone:
 * rows that the databases hold already, with later stamps.
 */
export async function sideBySide({ directory, rows, pairs }) {
  const session = await openSession({ tables: TABLES, state: join(directory, 'side-by-side') })
  const keys = shuffledKeys(rows)
  const alone = Object.fromEntries(REPLICAS.map((replica) => [replica, []]))
  let round = 0
  const together = async () => {
    round++
    for (const replica of REPLICAS) await setRows(session, replica, keys, round)
    return await timed(() => session.sync())
  }
  const slowest = async () => {
    round++
    let most = 0
    for (const replica of REPLICAS) {
      await setRows(session, replica, keys, round)
      const seconds = await timed(() => session.sync(replica))
      alone[replica].push(seconds)
      most = Math.max(most, seconds)
    }
    return most
  }
  try {
    // The tables and their rows are there from now on.
    await together()
    const line = {
      work: 'three flushes side by side',
      reference: 'the slowest alone',
      bar: atMost(1.3),
      pairs: await inPairs(pairs, together, slowest),
      count: rows * REPLICAS.length,
      unit: 'rows',
    }
    const shown = REPLICAS.map((replica) => `${replica} ${mean(alone[replica]).toFixed(2)} s`)
    return [measured({ ...line, note: `alone: ${shown.join(', ')}` })]
  } finally {
    await session.close()
  }
}

const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length
