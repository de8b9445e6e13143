import { beforeAll, afterAll, describe, expect, test } from 'vitest'
import { batchOf, type StampedRow } from '../../../src/core/batch.ts'
import { MerganserError } from '../../../src/core/errors.ts'
import { SeededRandom } from '../../../src/core/seeded-random.ts'
import type { TableSchema } from '../../../src/core/table.ts'
import type { Connector, ReplicaStore } from '../../../src/connectors/connector.ts'
import { loadConnector } from '../../../src/connectors/registry.ts'
import { inKeyOrder } from '../../../src/testkit/cases/keys.ts'
import { read, scan, stamp } from '../../../src/testkit/world.ts'
import { firstSeed, record, runsOf } from '../../support/proof.ts'
import { HOSTILE_NAMES, hostileTextsOf } from './hostile-texts.ts'
import { provesCommands, type Commands } from './hostile-commands.ts'
import { throughStatements } from './hostile-statements.ts'
import { TABLE, type HostileDatabase, type Tried } from './hostile-table.ts'

export interface HostileTraits {
  /** Keys of a table of its own for each so many, and values of its rows. */
  readonly keys: { readonly ci: number; readonly nightly: number }
  /** How many hostile names of tables and columns are tried. */
  readonly names: number
  /** Bounds of scans and digests, and keys that are read one by one. */
  readonly some: number
  /** Each command takes its server long: of those that do the same another way, there are fewer. */
  readonly brief?: boolean
}

const TESTS = 3

/** Hostile keys, values and names through every statement of a connector at its real server, and through every command. */
export function provesHostile(name: string, make: () => Promise<HostileDatabase>, traits: HostileTraits): void {
  describe(`${name} and hostile input, MERGANSER_PROOF_SEED=${String(firstSeed())}`, () => {
    const tried: Tried = { exact: 0, refused: 0, statements: 0, names: 0, namesRefused: 0, passed: 0 }
    const count = runsOf(traits.keys)
    const commands: Commands = {
      tried,
      texts: () => hostileTextsOf(firstSeed() + 1, Math.min(count, 2_000)),
      make,
      brief: traits.brief === true,
    }
    let database: HostileDatabase | undefined
    let connector: Connector | undefined

    beforeAll(async () => {
      database = await make()
    })
    afterAll(async () => {
      await database?.drop()
      const failures = TESTS - tried.passed
      record({
        name: `${name}: hostile keys and values`,
        ...{ invariants: ['I8'], runs: tried.exact + tried.refused + tried.names, failures, firstSeed: firstSeed() },
        figures: {
          'stored and read back exactly': tried.exact,
          'refused clearly': tried.refused,
          'calls of the connector and commands': tried.statements,
          'names of tables and columns': tried.names,
          'of them refused': tried.namesRefused,
        },
      })
    })

    /** Opens a store, and closes it behind the work. */
    const opened = async <T>(tables: object | undefined, work: (store: ReplicaStore) => Promise<T>): Promise<T> => {
      const { type, ...raw } = database!.options
      connector ??= await loadConnector(type)
      const options = connector!.options(tables === undefined ? raw : { ...raw, tables })
      const owner = { logId: 'log', name: 'the proof', session: 'the proof' }
      const store = await connector!.open(options, { access: 'write', owner, directory: 'unused', replica: name })
      try {
        return await work(store)
      } finally {
        await store.close()
      }
    }

    test(
      `I8: ${String(count)} hostile keys and values through every statement: exact or refused, and nothing is executed`,
      { timeout: 600_000 + count * 50 },
      async () => {
        await opened(undefined, async (store) => {
          await store.ensureTable(TABLE)
          await throughStatements(store, connector!.capabilities, { count, some: traits.some, tried })
        })
        const { row, tables } = await database!.canary()
        expect(row).toBe('alive')
        expect(tables.filter((one) => !/^(?:merganser_.*|canary|odd|odd_live)$/.test(one))).toEqual([])
        tried.passed++
      },
    )

    test(`I8: hostile names of tables and columns are only names, or are refused`, { timeout: 600_000 }, async () => {
      const names = new SeededRandom(firstSeed()).shuffled(HOSTILE_NAMES).slice(0, traits.names)
      for (const [n, hostile] of names.entries()) {
        const table = { ...TABLE, name: `named_${String(n)}` }
        const tables = { [table.name]: { name: `${hostile} ${String(n)}`, columns: { b: hostile, v: `${hostile}!` } } }
        tried.names++
        const refused = await opened(tables, (store) => usesTable(store, table, hostile)).catch(
          (error: unknown) => error,
        )
        if (refused === undefined) continue
        tried.namesRefused++
        expect(refused, hostile).toBeInstanceOf(MerganserError)
        const { code, message } = refused as MerganserError
        expect(['BAD_CONFIG', 'BAD_SCHEMA', 'SCHEMA_MISMATCH', 'DATABASE_REFUSED'], `${hostile}: ${message}`).toContain(
          code,
        )
      }
      expect((await database!.canary()).row).toBe('alive')
      tried.passed++
    })

    provesCommands(name, commands)
  })
}

async function usesTable(store: ReplicaStore, table: TableSchema, text: string): Promise<undefined> {
  await store.ensureTable(table)
  const row = (key: string, n: number): StampedRow => ({
    key: [key, text],
    cells: [{ value: text, stamp: stamp(n) }, null],
    deleted: null,
  })
  for (const n of [1, 2]) await store.writeRows(table, batchOf(table, [row('x', n), row(text, n)]))
  const rows = inKeyOrder(table, [row('x', 2), row(text, 2)])
  expect(await scan(store, table), text).toEqual(rows)
  expect(await read(store, table, [[text, text]]), text).toEqual([row(text, 2)])
  expect(await store.greatestStamp([table])).toBe(stamp(2))
  return undefined
}
