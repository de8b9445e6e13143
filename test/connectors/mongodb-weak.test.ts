import { afterAll, expect, it } from 'vitest'
import { mongodb } from '../../src/connectors/mongodb/connector.ts'
import { batchOf, joinStamped, rowAt, type StampedRow } from '../../src/core/batch.ts'
import type { TableSchema } from '../../src/core/table.ts'
import type { Finding, OpenContext, ReplicaStore } from '../../src/connectors/connector.ts'
import { TestDatabases } from '../support/mongodb-databases.ts'
import { describeOn } from '../support/servers.ts'

const stamp = (n: number) => `2026-11-22 15:11:2${String(n)}.000000000Z@MONGODB`

const table: TableSchema = {
  name: 'weak',
  key: [
    { name: 'k', type: { name: 'string' } },
    { name: 'n', type: { name: 'int64' } },
  ],
  values: [
    { name: 'v', type: { name: 'string' } },
    { name: 'w', type: { name: 'json' } },
    { name: 'f', type: { name: 'float64' } },
  ],
}

const context: OpenContext = {
  access: 'write',
  owner: { logId: 'log', name: 'the test' },
  directory: 'unused',
  replica: 'MONGODB',
}

type Cell = readonly [string | null, number] | null
const row = (k: string, cells: readonly Cell[], deleted?: number): StampedRow => ({
  key: [k, '7'],
  cells: cells.map((cell) => (cell === null ? null : { value: cell[0], stamp: stamp(cell[1]) })),
  deleted: deleted === undefined ? null : stamp(deleted),
})

describeOn(['ferretdb'], 'the connector mongodb on a server without pipeline updates', (url) => {
  const databases = new TestDatabases(url)
  let store: ReplicaStore | undefined
  const opened = async () => (store ??= await mongodb.open(mongodb.options({ url: databases.fresh() }), context))
  afterAll(async () => {
    await store?.close()
    await databases.drop()
  })

  const all = async (): Promise<StampedRow[]> => {
    const rows: StampedRow[] = []
    for await (const batch of (await opened()).scanRows(table)) {
      for (let i = 0; i < batch.rows; i++) rows.push(rowAt(batch, i))
    }
    return rows
  }

  it('I5: rows are joined column by column by reading them first, and counted exactly', async () => {
    const it = await opened()
    await it.ensureTable(table)
    const first = [
      row('a', [['$a', 1], ['[1]', 5], null]),
      row('b', [['b', 3], null, ['1.5', 3]]),
      row('c', [null, null, null], 4),
    ]
    const second = [
      row('a', [
        ['new', 2],
        ['[2]', 4],
        ['2', 2],
      ]),
      row('b', [null, null, null], 6),
      row('c', [['late', 3], null, null]),
      row('d', [
        [null, 1],
        [null, 1],
        [null, 1],
      ]),
    ]
    const write = (rows: StampedRow[]) => it.writeRows(table, batchOf(table, rows))
    expect(await write(first)).toEqual({ written: 3, stale: 0, rejected: [], foreign: [] })
    expect(await write(first)).toEqual({ written: 0, stale: 3, rejected: [], foreign: [] })
    expect(await write(second)).toEqual({ written: 3, stale: 1, rejected: [], foreign: [] })
    expect(await write(second)).toEqual({ written: 0, stale: 4, rejected: [], foreign: [] })
    expect(await all()).toEqual([...first.map((one, i) => joinStamped(one, second[i]!)), second[3]])
    expect(await it.greatestStamp([table])).toBe(stamp(6))
    const foreign = await write([row('d', [['other', 1], null, ['9', 2]])])
    expect(foreign).toEqual({ written: 1, stale: 0, rejected: [], foreign: [{ row: 0, column: 0 }] })
  })

  it('I8: values that the server does not hold are rejected one by one, the rest is written', async () => {
    const it = await opened()
    await it.ensureTable(table)
    const result = await it.writeRows(
      table,
      batchOf(table, [
        row('x1', [['x', 1], ['{"a.b":1}', 1], null]),
        row('x2', [
          ['x', 1],
          ['{"a":1}', 1],
          ['NaN', 1],
        ]),
        row('x3', [
          ['x', 1],
          ['{"a":1}', 1],
          ['1', 1],
        ]),
      ]),
    )
    expect(result).toMatchObject({ written: 1, stale: 0, rejected: [{ row: 0 }, { row: 1 }], foreign: [] })
  })

  it('doctor says what the server lacks', async () => {
    const findings: Finding[] = []
    const options = mongodb.options({ url: databases.fresh() })
    for await (const one of mongodb.diagnose!(options, context)) findings.push(one)
    expect(findings.find(({ check }) => check === 'version')).toMatchObject({ level: 'warning' })
    expect(findings.find(({ check }) => check === 'abilities')?.message).toBe('no transactions, no change streams')
    expect(findings.filter(({ level }) => level === 'problem')).toEqual([])
  })
})
