import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { from } from 'pg-copy-streams'
import { encodeRows } from '../dist/connectors/postgres/copy-encode.js'
import { createTableSql, layoutOf, tableSql } from '../dist/connectors/postgres/layout.js'
import { statementsOf } from '../dist/connectors/postgres/statements.js'
import { DEFAULT_TABLE } from '../dist/core/table.js'
import { referenceBatch } from './reference-rows.mjs'

const SCHEMA = { ...DEFAULT_TABLE, name: 'reference_grades' }
const LAYOUT = layoutOf(SCHEMA)
const STATEMENTS = statementsOf(LAYOUT, 'reference_staging')
const encoded = (keys, age) => [...encodeRows(referenceBatch(keys, age, SCHEMA))]

/** The floor for a flush: the same table under another name, and all rows ready as the bytes of a binary COPY. */
export class BulkLoad {
  #client
  #ready

  static async prepare(client, keys) {
    // What a connection of Merganser's sets.
    await client.query("SET timezone = 'UTC'; SET jit = off; SET synchronous_commit = on")
    await client.query(createTableSql(LAYOUT))
    await client.query(STATEMENTS.createStaging)
    return new BulkLoad(client, { fresh: encoded(keys, 'fresh'), newer: encoded(keys, 'newer') })
  }

  constructor(client, ready) {
    this.#client = client
    this.#ready = ready
  }

  async empty() {
    await this.#client.query(`TRUNCATE ${tableSql(LAYOUT)}`)
  }

  /** @param age `fresh` or `newer` */
  async load(age) {
    await this.#client.query('BEGIN')
    const copy = this.#client.query(from(STATEMENTS.copyStaging))
    await pipeline(Readable.from(this.#ready[age], { objectMode: true, highWaterMark: 2 }), copy)
    const { rowCount } = await this.#client.query(STATEMENTS.join)
    await this.#client.query('COMMIT')
    if (rowCount === 0) throw new Error('the reference changed no rows')
  }
}
