import { join } from 'node:path'
import pg from 'pg'
import { preparePlace } from '../dist/connectors/embedded-postgres/place.js'
import { SERVER_DATABASE, SERVER_USER, useServer } from '../dist/connectors/embedded-postgres/server.js'
import { databaseDirectory } from '../dist/engine/opening.js'
import { openSession } from '../dist/index.js'
import { atMost, inPairs, measured } from './pairs.mjs'
import { BulkLoad } from './postgres-bulk.mjs'
import { timed } from './processes.mjs'
import { setRows, shuffledKeys, TABLES } from './rows.mjs'

const REPLICA = 'POSTGRESQL'

/**
 * A session's flush into embedded PostgreSQL, from the cache to the database's confirmation (rows gathered, sent to the
 * lane's thread, encoded, COPY, join), as SYNC and the end of a run do it; against COPY and the same join from bytes
 * that are ready, over one connection to the same server. Into empty tables, then the same keys with later stamps.
 */
export async function flush({ directory, rows, pairs }) {
  const state = join(directory, 'flush')
  const session = await openSession({ tables: TABLES, replicas: { [REPLICA]: { type: 'embedded-postgres' } }, state })
  try {
    const keys = shuffledKeys(rows)
    // The table is there from now on, and everything has been loaded once.
    await setRows(session, REPLICA, keys.slice(0, 1), 0)
    await session.sync(REPLICA)
    return await onServer(state, (client) => compare(session, client, keys, pairs))
  } finally {
    await session.close()
  }
}

async function compare(session, client, keys, pairs) {
  const bulk = await BulkLoad.prepare(client, keys)
  let round = 0
  const ours = async () => {
    await setRows(session, REPLICA, keys, ++round)
    await client.query('CHECKPOINT')
    return await timed(() => session.sync(REPLICA))
  }
  const reference = (age) => async () => {
    await client.query('CHECKPOINT')
    return await timed(() => bulk.load(age))
  }
  const measurements = { fresh: [], newer: [] }
  for (let i = 0; i < pairs; i++) {
    await client.query('TRUNCATE student_course_grades')
    await bulk.empty()
    for (const age of ['fresh', 'newer']) {
      measurements[age].push(...(await inPairs(1, ours, reference(age), i)))
    }
  }
  const line = { reference: 'COPY and the same join', bar: atMost(1.25), count: keys.length, unit: 'rows' }
  return [
    measured({ work: 'flush into embedded PostgreSQL, fresh', ...line, pairs: measurements.fresh }),
    measured({ work: 'flush into embedded PostgreSQL, newer', ...line, pairs: measurements.newer }),
  ]
}

/** Calls `work` with a connection to the session's own server. */
async function onServer(state, work) {
  const place = await preparePlace(databaseDirectory(state, REPLICA), {
    systemUser: undefined,
    systemDirectory: '/var/lib/merganser',
  })
  const server = await useServer(place, { replica: REPLICA })
  const client = new pg.Client({
    host: server.host,
    port: server.port,
    user: SERVER_USER,
    database: SERVER_DATABASE,
    ssl: false,
  })
  try {
    await client.connect()
    return await work(client)
  } finally {
    await client.end()
    await server.release()
  }
}
