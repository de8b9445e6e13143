import { join } from 'node:path'
import { openSession } from '../dist/index.js'
import { atLeast, atMost, inPairs, inTurn, measured } from './pairs.mjs'
import { timed } from './processes.mjs'
import { setGrade, TABLES } from './rows.mjs'
import { gradeOf, keyOf } from './script.mjs'

const SOURCE = 'HIVE'
const TARGET = 'MONGODB'
/** Merges that are timed together, where one is over too soon. */
const TOGETHER = 10
/** Without a common divisor with any number of rows here: one step after the other it comes by all of them. */
const STRIDE = 7_919

/** What a merge costs: of many keys, and of a few among many others. In a program, nothing is written. */
export async function merge({ directory, merged, few, among, pairs }) {
  return [
    await manyKeys({ directory, merged, pairs }),
    ...(await fewAmongMany({ directory: join(directory, 'few'), few, among, pairs })),
  ]
}

async function manyKeys({ directory, merged, pairs }) {
  const session = await openDry(join(directory, 'many'), merged)
  const maps = { from: new Map(), into: new Map() }
  let round = 0
  const ours = async () => {
    await setAll(session, merged, ++round)
    return await timed(() => session.merge(TARGET, SOURCE))
  }
  const reference = async () => {
    setMap(maps.from, merged, ++round)
    return await timed(() => mergeMaps(maps.into, maps.from))
  }
  try {
    // From now on both sides hold all keys.
    await ours()
    await reference()
    return measured({
      work: 'merge of changed keys',
      reference: 'a loop over a Map of objects',
      bar: atLeast(5),
      pairs: await inPairs(pairs, ours, reference),
      count: merged,
      unit: 'keys',
    })
  } finally {
    await session.close()
  }
}

async function fewAmongMany({ directory, few, among, pairs }) {
  const sessions = []
  try {
    for (const total of among) {
      const session = await openDry(join(directory, String(total)), total)
      sessions.push({ session, total, next: 0 })
      await setAll(session, total, 0)
      await session.merge(TARGET, SOURCE)
    }
    const works = sessions.map((filled) => [String(filled.total), () => mergesOf(filled, few)])
    await inTurn(1, Object.fromEntries(works))
    const rounds = await inTurn(pairs, Object.fromEntries(works))
    const [least, ...others] = among
    return others.map((total) =>
      measured({
        work: `merge of ${grouped(few)} changed keys among ${grouped(total)}`,
        reference: `the same among ${grouped(least)}`,
        bar: atMost(1.5),
        pairs: rounds.map((round) => ({ ours: round[String(total)], reference: round[String(least)] })),
        count: few * TOGETHER,
        unit: 'keys',
      }),
    )
  } finally {
    for (const { session } of sessions) await session.close()
  }
}

/** Some merges of `few` keys each, spread over all; the seconds that they take, without the SETs between them. */
async function mergesOf(filled, few) {
  const { session, total } = filled
  const apart = Math.floor(total / few)
  let seconds = 0
  for (let i = 0; i < TOGETHER; i++) {
    const shift = filled.next++
    for (let j = 0; j < few; j++) {
      const number = ((j * STRIDE) % few) * apart + (shift % apart)
      const room = setGrade(session, SOURCE, keyOf(number), gradeOf(number + shift + 1))
      if (room !== undefined) await room
    }
    seconds += await timed(() => session.merge(TARGET, SOURCE))
  }
  return seconds
}

function openDry(state, keys) {
  return openSession({ tables: TABLES, state, dryRun: true, limits: { memoryRows: keys * 3 + 1_000_000 } })
}

async function setAll(session, total, round) {
  for (let i = 0; i < total; i++) {
    const number = (i * STRIDE) % total
    const room = setGrade(session, SOURCE, keyOf(number), gradeOf(number + round))
    if (room !== undefined) await room
  }
}

function setMap(map, total, round) {
  for (let i = 0; i < total; i++) {
    const number = (i * STRIDE) % total
    map.set(keyOf(number).join(','), { stamp: process.hrtime.bigint(), value: gradeOf(number + round) })
  }
}

/** As `naive-replay.mjs` does it. */
function mergeMaps(into, from) {
  for (const [key, theirs] of from) {
    const ours = into.get(key)
    if (!ours || ours.stamp < theirs.stamp) into.set(key, theirs)
  }
}

const grouped = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ',')
