import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { Session } from '../dist/connectors/hive/session.js'
import { createTable, mergeStatement } from '../dist/connectors/hive/statements.js'
import { parseHiveUrl } from '../dist/connectors/hive/url.js'
import { DEFAULT_TABLE } from '../dist/core/table.js'
import { absent, atMost } from './pairs.mjs'
import { referenceRow } from './reference-rows.mjs'
import { writeLines } from './script.mjs'
import { missingServers } from './servers.mjs'
import { compareFlushes } from './servers-flush.mjs'

const WORK = 'flush into Hive'
const REFERENCE = 'the same LOAD DATA and MERGE'
const STAGE = 'reference_stage'
const SOURCE = { from: STAGE, field: (c) => `f${c}` }

/** A flush into Hive, against LOAD DATA of a ready Parquet file and the same MERGE over one session of the same client. */
export async function flushHive({ directory, rows, pairs }) {
  const missing = missingServers(['hive'])
  if (missing !== undefined) return ['fresh', 'newer'].map((age) => absent(`${WORK}, ${age}`, REFERENCE, missing))
  const line = (age) => ({ work: `${WORK}, ${age}`, reference: REFERENCE, bar: atMost(1.1) })
  const lines = { fresh: line('fresh'), newer: line('newer') }
  return await compareFlushes({ kind: 'hive', directory, rows, pairs, makeReference, lines })
}

async function makeReference(url, keys, directory) {
  const session = await Session.open(parseHiveUrl(url), { replica: 'REFERENCE' })
  await session.execute(createTable(DEFAULT_TABLE))
  await session.execute(
    `CREATE EXTERNAL TABLE ${STAGE} (r int, f0 string, f1 string, f2 string, f3 string, f4 string) STORED AS PARQUET ` +
      "TBLPROPERTIES ('external.table.purge' = 'true', 'parquet.column.index.access' = 'true')",
  )
  const merge = async (file) => {
    await session.execute(`LOAD DATA LOCAL INPATH '${file}' OVERWRITE INTO TABLE ${STAGE}`)
    return await session.execute(mergeStatement(DEFAULT_TABLE, SOURCE))
  }
  // What a session's first statements cost is none of it.
  await merge(await parquetOf(directory, keys.slice(0, 1), 'fresh'))
  const load = async (age) => {
    const file = await parquetOf(directory, keys, age)
    return async () => {
      if ((await merge(file)) === 0) throw new Error('the reference changed no rows')
    }
  }
  return { fresh: await load('fresh'), newer: await load('newer'), close: () => session.connection.close() }
}

async function parquetOf(directory, keys, age) {
  const text = join(directory, `${age}-${keys.length}.csv`)
  const file = join(directory, `${age}-${keys.length}.parquet`)
  writeLines(text, keys.length, (i) => `${i},${referenceRow(keys, i, age).join(',')},\n`)
  const instance = await DuckDBInstance.create(':memory:')
  try {
    const connection = await instance.connect()
    const names = ['f0', 'f1', 'f2', 'f3', 'f4'].map((name) => `'${name}': 'VARCHAR'`)
    const columns = `{'r': 'INTEGER', ${names.join(', ')}}`
    await connection.run(
      `COPY (SELECT * FROM read_csv('${text}', header = false, nullstr = '', columns = ${columns})) ` +
        `TO '${file}' (FORMAT parquet, COMPRESSION snappy)`,
    )
    connection.closeSync()
  } finally {
    instance.closeSync()
  }
  return file
}
