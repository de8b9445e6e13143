import { strict as assert } from 'node:assert'
import type { TableSchema } from '../../core/table.ts'
import type { Case } from '../case.ts'
import { codeOf, read, rejectsWith, row, scan, stamp, tombstone, write, writeAll } from '../world.ts'

export const schemaCases: readonly Case[] = [
  {
    name: 'a table is created once and asked for again without harm, also after it is opened again',
    async run(world) {
      const { store, table } = await world.ensured(
        { k: 'string', n: 'decimal(10,2)' },
        { v: 'timestamp(6)', w: 'json' },
      )
      const rows = [row(['a', '1.5'], ['2026-11-22 15:11:21.5Z', '[1]'], stamp(1))]
      await writeAll(store, table, rows)
      await store.ensureTable(table)
      await store.ensureTable(structuredClone(table))
      assert.deepEqual(await scan(store, table), rows)
      const again = await world.reopened()
      await again.ensureTable(table)
      assert.deepEqual(await scan(again, table), rows)
    },
  },
  {
    name: 'a table that is there in another shape is refused with SCHEMA_MISMATCH, and stays',
    async run(world) {
      const { store, table } = await world.ensured({ k: 'string', n: 'int64' }, { v: 'string', w: 'decimal(10,2)' })
      const rows = [row(['a', '1'], ['v', '1.5'], stamp(1))]
      await writeAll(store, table, rows)
      const column = (name: string, type: TableSchema['key'][number]['type']) => ({ name, type })
      const others: TableSchema[] = [
        { ...table, values: table.values.slice(0, 1) },
        { ...table, values: [...table.values, column('x', { name: 'string' })] },
        { ...table, values: table.values.with(0, column('v', { name: 'int64' })) },
        { ...table, values: table.values.with(0, column('other', { name: 'string' })) },
        { ...table, values: table.values.with(1, column('w', { name: 'decimal', precision: 12, scale: 4 })) },
        { ...table, key: table.key.slice(0, 1) },
        { ...table, key: table.key.toReversed() },
        { ...table, key: table.key.with(1, column('n', { name: 'string' })) },
        { ...table, key: table.key.slice(0, 1), values: [table.key[1]!, ...table.values] },
      ]
      for (const other of others) await rejectsWith(store.ensureTable(other), 'SCHEMA_MISMATCH')
      const again = await world.reopened()
      for (const other of others) await rejectsWith(again.ensureTable(other), 'SCHEMA_MISMATCH')
      await again.ensureTable(table)
      assert.deepEqual(await scan(again, table), rows)
    },
  },
  {
    name: 'a table that is not there reads as empty',
    async run(world) {
      const store = await world.store()
      const table = world.table({ k: 'string' }, { v: 'string' })
      assert.deepEqual(await read(store, table, [['a']]), [undefined])
      assert.deepEqual(await scan(store, table), [])
      assert.deepEqual(await scan(store, table, ['a']), [])
      assert.equal(await store.greatestStamp([table]), '')
    },
  },
  {
    name: 'several tables keep their rows apart',
    async run(world) {
      const tables: TableSchema[] = []
      for (let n = 0; n < world.times(8, 3); n++) {
        const { store, table } = await world.ensured({ k: 'string' }, n % 2 === 0 ? { v: 'string' } : { w: 'int64' })
        await writeAll(store, table, [row('same key', [String(n)], stamp(n))])
        tables.push(table)
      }
      const store = await world.reopened()
      for (const [n, table] of tables.entries()) {
        assert.deepEqual(await scan(store, table), [row('same key', [String(n)], stamp(n))])
      }
    },
  },
  {
    name: 'tables and columns may be called like keywords, functions and members of objects',
    async run(world) {
      const store = await world.store()
      const type = { name: 'string' } as const
      const columns = (...names: string[]) => names.map((name) => ({ name, type }))
      const key = columns('select', 'Mixed')
      const values = columns('from', 'constructor', 'order', 'user', 'value', 'stamp', 'excluded', 'toString')
      for (const name of ['table', 'Group', 'hasOwnProperty']) {
        const table = { name, key, values }
        await store.ensureTable(table)
        const rows = [
          row(
            ['a', 'b'],
            values.map((column) => `value of ${column.name}`),
            stamp(1),
          ),
          row(
            ['a', 'c'],
            values.map(() => null),
            stamp(2),
          ),
        ]
        await writeAll(store, table, rows)
        await writeAll(store, table, [tombstone(table, ['a', 'c'], stamp(3))])
        assert.deepEqual(await scan(store, table), [rows[0], tombstone(table, ['a', 'c'], stamp(3))])
      }
    },
  },
  {
    name: 'names that differ only at the end of 100 characters are told apart or refused',
    async run(world) {
      const store = await world.store()
      const long = 'n'.repeat(99)
      const column = (name: string) => ({ name, type: { name: 'string' } as const })
      const tables = ['a', 'b'].map((end) => ({
        name: `${long}${end}`,
        key: [column(`k${long}`)],
        values: [column(`${long}a`), column(`${long}b`)],
      }))
      for (const table of tables) {
        const refusal = await store.ensureTable(table).then(
          () => undefined,
          (error: unknown) => codeOf(error),
        )
        if (refusal === undefined) {
          await writeAll(store, table, [row(table.name, ['a', 'b'], stamp(1))])
          assert.deepEqual(await scan(store, table), [row(table.name, ['a', 'b'], stamp(1))])
        } else {
          assert.ok(['BAD_SCHEMA', 'DATABASE_REFUSED', 'SCHEMA_MISMATCH'].includes(refusal), refusal)
        }
      }
    },
  },
  {
    name: 'I3: the greatest stamp is found over all tables, columns and tombstones',
    async run(world) {
      const one = await world.ensured({ k: 'string' }, { v: 'string', w: 'string' })
      const two = await world.ensured({ k: 'string' }, { v: 'string' })
      const { store } = one
      const greatest = () => store.greatestStamp([one.table, two.table])
      assert.equal(await greatest(), '')
      await writeAll(store, two.table, [row('a', ['1'], stamp(3))])
      assert.equal(await greatest(), stamp(3))
      const cells = [null, { value: null, stamp: stamp(4, 'B') }]
      await writeAll(store, one.table, [{ key: ['b'], cells, deleted: null }, row('c', ['1', '1'], stamp(1))])
      assert.equal(await greatest(), stamp(4, 'B'))
      await writeAll(store, two.table, [tombstone(two.table, 'z', stamp(4, 'C'))])
      assert.equal(await greatest(), stamp(4, 'C'))
      assert.equal(await store.greatestStamp([one.table]), stamp(4, 'B'))
      assert.equal((await write(store, two.table, [row('z', ['old'], stamp(2))])).stale, 1)
      assert.equal(await greatest(), stamp(4, 'C'))
    },
  },
]
