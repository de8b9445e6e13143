import { join } from 'node:path'
import { createTableSql, layoutOf } from '../dist/connectors/postgres/layout.js'
import { DEFAULT_TABLE } from '../dist/core/table.js'
import { path } from './merganser.mjs'
import { absent, atMost } from './pairs.mjs'
import { referenceRow } from './reference-rows.mjs'
import { writeLines } from './script.mjs'
import { missingServers, withPostgres } from './servers.mjs'
import { compareFlushes } from './servers-flush.mjs'
import { psql, TOOLS } from './servers-tools.mjs'

const WORK = 'flush into PostgreSQL'
const REFERENCE = 'psql: COPY and a guarded upsert'

/** A flush into a PostgreSQL server, against psql with the statements of `postgres-bulk.sql` and a ready CSV file. */
export async function flushPostgres({ directory, rows, pairs }) {
  const { program, missing = missingServers(['postgres']) } = TOOLS.psql()
  if (missing !== undefined) return ['fresh', 'newer'].map((age) => absent(`${WORK}, ${age}`, REFERENCE, missing))
  const makeReference = async (url, keys, own) => {
    await withPostgres(url, (client) => client.query(createTableSql(layoutOf(DEFAULT_TABLE))))
    const load = (age) => {
      const input = join(own, `${age}.csv`)
      writeLines(input, keys.length, (i) => `${referenceRow(keys, i, age).join(',')}\n`)
      return () => psql(program, url, ['-f', path('postgres-bulk.sql')], { input })
    }
    return { fresh: load('fresh'), newer: load('newer') }
  }
  const line = (age) => ({ work: `${WORK}, ${age}`, reference: REFERENCE, bar: atMost(1.15) })
  const lines = { fresh: line('fresh'), newer: line('newer') }
  return await compareFlushes({ kind: 'postgres', directory, rows, pairs, makeReference, lines })
}
