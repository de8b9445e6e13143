import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RowBatch, StampedRow } from '../../src/core/batch.ts'
import type { Connector, ReplicaStore } from '../../src/connectors/connector.ts'
import { embeddedWarehouse } from '../../src/connectors/embedded-warehouse/connector.ts'
import { MerganserError } from '../../src/core/errors.ts'
import type { TableSchema } from '../../src/core/table.ts'
import { inlineThreads } from '../../src/environment/node-threads.ts'
import { hostStores } from '../../src/lanes/host.ts'
import { newTally, type Difference } from '../../src/verify/difference.ts'
import { differences } from '../../src/verify/differences.ts'
import { withSides } from '../../src/verify/sides.ts'
import { environment, put, Sides, type WritableSide } from './support.ts'

const TABLE: TableSchema = {
  name: `lost_${randomBytes(4).toString('hex')}`,
  key: [{ name: 'n', type: { name: 'int64' } }],
  values: [{ name: 'v', type: { name: 'string' } }],
}
const ROWS = 20_000
const stamp = '2026-11-20 10:00:00.000000001Z@A'
const rows = Array.from({ length: ROWS }, (_, n): StampedRow => {
  return { key: [String(n)], cells: [{ value: `value ${String(n)}`.padEnd(100), stamp }], deleted: null }
})

const sides = new Sides()
let left: WritableSide
let right: WritableSide
beforeAll(async () => {
  left = await sides.side('LEFT', 'warehouse')
  right = await sides.side('RIGHT', 'warehouse')
  await put(left, TABLE, rows)
  await put(right, TABLE, rows.toSpliced(ROWS - 2, 1))
})
afterAll(() => sides.end())

/** A connector over a store that is open: connections are lost as a plan says. */
function losing(store: ReplicaStore, plan: Plan): Connector {
  const lost = () => new MerganserError('CONNECTION_LOST', 'the connection was cut by the test')
  return {
    ...embeddedWarehouse,
    open: () => {
      plan.opens++
      if (plan.opens > 1 && plan.away-- > 0) return Promise.reject(lost())
      let open = true
      return Promise.resolve({
        ...{ meta: undefined, greatestStamp: () => Promise.resolve(''), ensureTable: () => Promise.resolve() },
        readRows: (...args) => {
          if (plan.reads-- > 0) return Promise.reject(lost())
          return store.readRows(...args)
        },
        async *scanRows(...args): AsyncGenerator<RowBatch> {
          plan.scansAfter.push(args[1]?.[0])
          let batches = 0
          for await (const batch of store.scanRows(...args)) {
            if (!open) throw new MerganserError('STORE_CLOSED', 'closed')
            if (batches++ > 0 && plan.scans-- > 0) throw lost()
            yield batch
          }
        },
        writeRows: () => Promise.reject(lost()),
        writeMeta: () => Promise.reject(lost()),
        close: () => {
          open = false
          return Promise.resolve()
        },
      } satisfies ReplicaStore)
    },
  }
}

interface Plan {
  /** How many scans, reads and openings after the first one are lost. */
  scans: number
  reads: number
  away: number
  opens: number
  readonly scansAfter: (string | undefined)[]
}

async function compare(plan: Plan, retrySeconds: number) {
  const stores: Record<string, Connector> = {
    left: losing(left.store, plan),
    right: { ...embeddedWarehouse, open: () => Promise.resolve(unclosed(right.store)) },
  }
  const threads = inlineThreads((port) => {
    hostStores(port, (type) => Promise.resolve(stores[type]))
  })
  const messages: string[] = []
  const setup = {
    ...{ environment: { ...environment, threads }, stateDirectory: '/nonexistent', retrySeconds },
    message: (text: string) => messages.push(text),
  }
  const replica = (name: string, type: string) => {
    return { name, connector: { ...stores[type]!, type, absent: () => Promise.resolve(false) }, options: {} }
  }
  const tally = newTally()
  const found: Difference[] = []
  const both = [replica('LEFT', 'left'), replica('RIGHT', 'right')] as const
  for await (const one of withSides(setup, both, (a, b) =>
    differences(a, b, TABLE, { environment, settle: 0, tally, digests: false }),
  )) {
    found.push(one)
  }
  return { found, tally, messages }
}

function unclosed(store: ReplicaStore): ReplicaStore {
  return {
    ...{ meta: undefined, greatestStamp: store.greatestStamp.bind(store), ensureTable: store.ensureTable.bind(store) },
    ...{ readRows: store.readRows.bind(store), scanRows: store.scanRows.bind(store) },
    ...{ writeRows: store.writeRows.bind(store), writeMeta: store.writeMeta.bind(store) },
    close: () => Promise.resolve(),
  }
}

const plan = (lost: Partial<Plan>): Plan => ({ ...{ scans: 0, reads: 0, away: 0, opens: 0, scansAfter: [] }, ...lost })

test('a connection that is lost is opened again, and the scan goes on behind the last row', async () => {
  const losses = plan({ scans: 2, reads: 1, away: 1 })
  const { found, tally, messages } = await compare(losses, 60)
  expect(found).toMatchObject([{ kind: 'left-only', key: [String(ROWS - 2)] }])
  expect(tally).toMatchObject({ compared: ROWS, leftRows: ROWS, rightRows: ROWS - 1 })
  expect(losses.opens).toBe(5)
  const [first, second, third] = losses.scansAfter
  expect(first).toBeUndefined()
  expect(Number(second)).toBeGreaterThan(0)
  expect(Number(third)).toBeGreaterThan(Number(second))
  expect(messages).toContain('LEFT: the connection was cut by the test; trying again')
})

test('a database that stays away ends the comparison when time is up; other errors do at once', async () => {
  await expect(compare(plan({ scans: 1000, away: 1000 }), 0.1)).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
})
