import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, test } from 'vitest'
import type { RowBatch, TextColumn } from '../../src/core/batch.ts'
import type { Connector, ReplicaStore } from '../../src/connectors/connector.ts'
import { loadConnector } from '../../src/connectors/registry.ts'
import { joinCases } from '../../src/testkit/cases/join.ts'
import { keyCases } from '../../src/testkit/cases/keys.ts'
import { valueCases } from '../../src/testkit/cases/values.ts'
import { writeCases } from '../../src/testkit/cases/writes.ts'
import { World } from '../../src/testkit/world.ts'

const directories: string[] = []
afterAll(() => Promise.all(directories.map((path) => rm(path, { recursive: true, force: true }))))

async function directory(): Promise<string> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'merganser-shared-')))
  directories.push(path)
  return join(path, 'database')
}

/** A batch as a state lends it: in memory that others see, somewhere in the middle, and of use only until it is back. */
class Lent {
  readonly #memory: SharedArrayBuffer
  #used = 24
  readonly batch: RowBatch

  constructor({ rows, keys, values, stamps, deleted }: RowBatch) {
    const columns = [...keys, ...values, ...stamps, deleted]
    const bytes = columns.reduce((sum, column) => sum + column.bytes.length + column.ends.length * 5 + 24, 48)
    this.#memory = new SharedArrayBuffer(bytes)
    const shared = (part: readonly TextColumn[]) => part.map((column) => this.#column(column, rows))
    this.batch = {
      rows,
      keys: shared(keys),
      values: shared(values),
      stamps: shared(stamps),
      deleted: this.#column(deleted, rows),
    }
  }

  #column({ bytes, ends, nulls }: TextColumn, rows: number): TextColumn {
    const at = (this.#used = Math.ceil(this.#used / 4) * 4)
    const own = {
      ends: new Uint32Array(this.#memory, at, rows),
      bytes: new Uint8Array(this.#memory, at + rows * 4, bytes.length),
    }
    own.ends.set(ends.subarray(0, rows))
    own.bytes.set(bytes)
    this.#used = at + rows * 4 + bytes.length
    if (nulls === undefined) return own
    const shared = new Uint8Array(this.#memory, this.#used, rows)
    shared.set(nulls.subarray(0, rows))
    this.#used += rows
    return { ...own, nulls: shared }
  }

  /** It is used for something else. */
  end(): void {
    new Uint8Array(this.#memory).fill(0xff)
  }
}

/** Writes only what is lent. */
function lending(connector: Connector): Connector {
  const lend = (store: ReplicaStore): ReplicaStore => ({
    meta: store.meta,
    greatestStamp: (tables) => store.greatestStamp(tables),
    ensureTable: (table) => store.ensureTable(table),
    readRows: (table, keys) => store.readRows(table, keys),
    scanRows: (table, after) => store.scanRows(table, after),
    writeRows: async (table, batch) => {
      const lent = new Lent(batch)
      try {
        return await store.writeRows(table, lent.batch)
      } finally {
        lent.end()
      }
    },
    ...(store.digest === undefined ? {} : { digest: (table, ranges) => store.digest!(table, ranges) }),
    writeMeta: (meta) => store.writeMeta(meta),
    close: () => store.close(),
  })
  return {
    type: connector.type,
    capabilities: connector.capabilities,
    options: (raw) => connector.options(raw),
    open: async (options, context) => lend(await connector.open(options, context)),
  }
}

describe.each(['embedded-documents', 'embedded-warehouse', 'embedded-postgres'])('%s', async (type) => {
  const world = new World({ connector: lending((await loadConnector(type))!), directory })
  afterAll(() => world.end())
  test.each([...writeCases, ...joinCases, ...valueCases, ...keyCases].map((one) => [one.name, one] as const))(
    'rows that are lent, in memory that other threads see: %s',
    async (_, one) => {
      await one.run(world)
    },
  )
})
