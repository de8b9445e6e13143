import { join } from 'node:path'
import { openSession } from '../dist/index.js'
import { fresh } from './merganser.mjs'
import { atLeast, inPairs, measured } from './pairs.mjs'
import { timed } from './processes.mjs'
import { setGrade, shuffledKeys, TABLES } from './rows.mjs'
import { gradeOf } from './script.mjs'

/** Single SETs of a program, each with a new stamp, against a Map; into a new session and a new Map each time. */
export async function sets({ directory, sets: count, pairs }) {
  const keys = shuffledKeys(count)
  const ours = () =>
    fresh(directory, async (state) => {
      const session = await openSession({ tables: TABLES, state: join(state, 'state'), dryRun: true })
      try {
        return await timed(() => setAll(session, keys))
      } finally {
        await session.close()
      }
    })
  return [
    measured({
      work: 'single SETs of a program',
      reference: 'Map.set of an object with a stamp',
      bar: atLeast(0.3),
      pairs: await inPairs(pairs, ours, () => timed(() => setMap(new Map(), keys))),
      count,
      unit: 'SETs',
    }),
  ]
}

async function setAll(session, keys) {
  for (let i = 0; i < keys.length; i++) {
    const room = setGrade(session, 'HIVE', keys[i], gradeOf(i))
    if (room !== undefined) await room
  }
}

function setMap(map, keys) {
  let last = 0n
  for (let i = 0; i < keys.length; i++) {
    const [student, course] = keys[i]
    const now = process.hrtime.bigint()
    last = now > last ? now : last + 1n
    map.set(`${student},${course}`, { stamp: last, value: gradeOf(i) })
  }
}
