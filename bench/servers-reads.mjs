import { join } from 'node:path'
import { openSession } from '../dist/index.js'
import { Session } from '../dist/connectors/hive/session.js'
import { parseHiveUrl } from '../dist/connectors/hive/url.js'
import { atLeast, inPairs, measured } from './pairs.mjs'
import { timed } from './processes.mjs'
import { setRows, shuffledKeys, TABLES } from './rows.mjs'
import { onServers, withMongo, withPostgres } from './servers.mjs'
import { mongoServerName } from './servers-tools.mjs'

const TABLE = 'student_course_grades'
const REPLICA = 'OURS'
/**
 * Seconds that a run of single queries takes, about: where all take longer, as in Hive or on a server that finds no key by
 * an index, so many are asked as fit, and their time is scaled.
 */
const LONGEST = 10
/** Queries by which that is found out. */
const PROBED = 10

/**
 * GETs that miss: a program asks for keys that its cache doesn't have, all at once, in a new session each time; against
 * one query at a time with the database's driver, over one connection that is open.
 */
export async function reads({ directory, rows, gets, pairs }) {
  const results = []
  for (const { kind, name, driver, queries } of KINDS) {
    const line = { work: `GET misses, ${name}`, reference: `one query at a time, ${driver}` }
    const compare = async (url) => {
      const keys = shuffledKeys(rows)
      const state = join(directory, kind)
      await fill(state, { kind, url }, keys)
      const asked = keys.slice(0, Math.min(gets, rows))
      const one = async (query, keys) => {
        for (const key of keys) await query(key)
      }
      let single = asked
      const pairsOf = await queries(url, async (query) => {
        await query(keys.at(-1))
        const each = (await timed(() => one(query, asked.slice(0, PROBED)))) / PROBED
        single = asked.slice(0, Math.max(PROBED, Math.ceil(LONGEST / each)))
        const reference = async () => ((await timed(() => one(query, single))) * asked.length) / single.length
        const ours = () => timeGets(state, { kind, url }, keys.at(-1), asked)
        return await inPairs(pairs, ours, reference)
      })
      const notes = [
        kind === 'mongodb' ? await mongoServerName(url) : undefined,
        single.length < asked.length ? `${single.length} single queries, scaled` : undefined,
      ]
      const note = notes.filter(Boolean).join('; ') || undefined
      return [measured({ ...line, bar: atLeast(10), pairs: pairsOf, count: asked.length, unit: 'keys', note })]
    }
    results.push(...(await onServers([kind], [[line.work, line.reference]], compare)))
  }
  return results
}

async function fill(state, { kind, url }, keys) {
  const session = await openSession({ tables: TABLES, replicas: { [REPLICA]: { type: kind, url } }, state })
  try {
    await setRows(session, REPLICA, keys, 0)
    await session.sync(REPLICA)
  } finally {
    await session.close()
  }
}

/** Another session, whose cache is empty. */
async function timeGets(state, { kind, url }, first, keys) {
  const session = await openSession({ tables: TABLES, replicas: { [REPLICA]: { type: kind, url } }, state })
  const get = ([student_id, course_id]) => session.get(REPLICA, TABLE, { student_id, course_id })
  try {
    await get(first)
    return await timed(async () => {
      const rows = await Promise.all(keys.map(get))
      if (rows.some((row) => row === undefined)) throw new Error('a row was not found')
    })
  } finally {
    await session.close()
  }
}

const KINDS = [
  {
    kind: 'postgres',
    name: 'PostgreSQL',
    driver: 'pg',
    queries: (url, work) =>
      withPostgres(url, (client) => {
        const text = `SELECT grade FROM ${TABLE} WHERE student_id = $1 AND course_id = $2`
        return work((values) => client.query({ name: 'one', text, values }))
      }),
  },
  {
    kind: 'mongodb',
    name: 'MongoDB-protocol server',
    driver: 'mongodb',
    queries: (url, work) =>
      withMongo(url, (client) => {
        const collection = client.db().collection(TABLE)
        return work(([student_id, course_id]) => collection.findOne({ _id: { student_id, course_id } }))
      }),
  },
  {
    kind: 'hive',
    name: 'Hive',
    driver: 'our own client',
    queries: async (url, work) => {
      const session = await Session.open(parseHiveUrl(url), { replica: 'REFERENCE' })
      try {
        return await work(([student, course]) =>
          session.rows(`SELECT grade FROM ${TABLE} WHERE student_id = '${student}' AND course_id = '${course}'`),
        )
      } finally {
        await session.connection.close()
      }
    },
  },
]
