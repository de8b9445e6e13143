import { createHash } from 'node:crypto'
import { afterAll, expect, it } from 'vitest'
import { batchOf, keysOf, rowAt, type StampedRow } from '../../src/core/batch.ts'
import { digestBytes } from '../../src/core/row-digest.ts'
import type { TableSchema } from '../../src/core/table.ts'
import type { KeyRange, OpenContext, RangeDigest } from '../../src/connectors/connector.ts'
import { hive } from '../../src/connectors/hive/connector.ts'
import { literal, packedQuery, packRows } from '../../src/connectors/hive/literals.ts'
import { isHidden } from '../../src/connectors/hive/shape.ts'
import { edgeValues, hostileTexts } from '../../src/testkit/samples.ts'
import { SeededRandom } from '../../src/core/seeded-random.ts'
import { describeOn } from '../support/servers.ts'
import { Databases, openStore, scanned, sessionOn, stamp, textTable } from './hive-support.ts'

function sums(rows: readonly Buffer[]): RangeDigest {
  const total: [bigint, bigint] = [0n, 0n]
  for (const row of rows) {
    const md5 = createHash('md5').update(row).digest()
    total[0] += BigInt(md5.readUInt32BE(0))
    total[1] += BigInt(md5.readUInt32BE(4))
  }
  return { rows: rows.length, sums: total }
}

describeOn(['hive'], 'the connector hive, beyond the kit', (url) => {
  const databases = new Databases(url)
  afterAll(() => databases.dropAll(), 120_000)

  it('I4: tables are refused whose rows Hive would hide, for their names or for a directory above', async () => {
    for (const { database, table, code } of [
      { database: undefined, table: '_t', code: 'BAD_SCHEMA' },
      { database: '_hidden', table: 't', code: 'SCHEMA_MISMATCH' },
    ]) {
      const store = await openStore({ url: await databases.create(database) })
      try {
        const message = expect.stringMatching(/hides the rows from/) as string
        await expect(store.ensureTable(textTable(table))).rejects.toMatchObject({ code, message })
      } finally {
        await store.close()
      }
    }
  })

  it.each([
    ['file:/warehouse/a.db/t', false],
    ['hdfs://_host.:8020/warehouse/a_.db/t.', false],
    ['s3a://bucket/_warehouse/t', true],
    ['hdfs://host/user/.hive/a.db/t', true],
    ['/warehouse/_t', true],
  ])('what lies in %s is hidden: %s', (location, hidden) => {
    expect(isHidden(location)).toBe(hidden)
  })

  it('I8: literals give back any text, one by one and packed', async () => {
    const random = new SeededRandom(7)
    const units = [
      ...Array.from('\'"\\\n\r\t\0\u0001\u0002\u0003$;{}0123un%'),
      'hiveconf:',
      '\u2028',
      '\u{1f600}',
      'é',
      '\\u0041',
    ]
    const fuzzed = Array.from({ length: 400 }, () =>
      Array.from({ length: random.below(12) }, () => random.pick(units)).join(''),
    )
    const texts = [...hostileTexts, ...fuzzed]
    const connection = await sessionOn(url)
    try {
      const table = textTable('none')
      const rows = texts.map((value, n): StampedRow => ({
        key: [value],
        cells: [{ value, stamp: stamp(n) }],
        deleted: null,
      }))
      const batch = batchOf(table, rows)
      const packed = packRows([...batch.keys, batch.deleted, ...batch.values], rows.keys())
      const found: unknown[][] = []
      for await (const block of connection.query(packedQuery(packed))) {
        for (let i = 0; i < block.rows; i++) {
          found.push(block.columns.map(({ nulls, values }) => (nulls[i] === 1 ? null : values[i])))
        }
      }
      found.sort((a, b) => Number(a[3]) - Number(b[3]))
      expect(found).toEqual(texts.map((text, n) => [text, null, text, n]))
      const single: unknown[] = []
      const plain = texts.filter((text) => !text.includes('\0')).slice(0, 300)
      for await (const { columns } of connection.query(`SELECT ${plain.map(literal).join(', ')}`)) {
        single.push(...columns.map(({ values }) => values[0]))
      }
      expect(single).toEqual(plain)
    } finally {
      await connection.close()
    }
  })

  it('digests that Hive works out are those of the rows that it gives, in each range', async () => {
    const store = await openStore({ url: await databases.create() })
    try {
      const spellings = [
        'string',
        'int64',
        'boolean',
        'date',
        'bytes',
        'decimal(38,18)',
        'decimal(38,0)',
        'timestamp',
        'json',
      ]
      const parse = (spelling: string) => {
        const [name, precision, scale] = spelling.split(/[(),]/)
        const type = { name: name as 'string' }
        return precision === undefined ? type : { ...type, precision: Number(precision), scale: Number(scale) }
      }
      const table: TableSchema = {
        name: 'digests',
        key: [
          { name: 'k', type: { name: 'string' } },
          { name: 'n', type: { name: 'int64' } },
        ],
        values: spellings.map((spelling, c) => ({ name: `v${String(c)}`, type: parse(spelling) })),
      }
      await store.ensureTable(table)
      const lost = /^1969-12-31 23:59:59\./
      const texts = spellings.map((spelling) => edgeValues[spelling]!.filter((text) => !lost.test(text)))
      const rows = Array.from({ length: 150 }, (_, i): StampedRow => ({
        key: [hostileTexts[i % hostileTexts.length]!, String(i)],
        cells: texts.map((some, c) =>
          (i + c) % 5 === 0 ? null : { value: (i + c) % 7 === 0 ? null : some[i % some.length]!, stamp: stamp(i + c) },
        ),
        deleted: i % 5 === 1 ? stamp(0) : null,
      }))
      expect((await store.writeRows(table, batchOf(table, rows))).written).toBe(150)
      const digested: Buffer[] = []
      const keys: string[][] = []
      for await (const batch of store.scanRows(table)) {
        for (let i = 0; i < batch.rows; i++) {
          digested.push(digestBytes(batch, i))
          keys.push([...rowAt(batch, i).key])
        }
      }
      const ranges: KeyRange[] = [{ upTo: keys[40]! }, { after: keys[40]!, upTo: keys[90]! }, { after: keys[90]! }]
      expect(await store.digest!(table, [{}])).toEqual([sums(digested)])
      expect(await store.digest!(table, ranges)).toEqual([
        sums(digested.slice(0, 41)),
        sums(digested.slice(41, 91)),
        sums(digested.slice(91)),
      ])
    } finally {
      await store.close()
    }
  })

  it(
    'a large batch goes by a file or by literals, with stale and foreign rows found',
    { timeout: 480_000 },
    async () => {
      const database = await databases.create()
      for (const staging of ['local', 'literals']) {
        const store = await openStore({ url: database, staging })
        try {
          const table = textTable(`by_${staging}`)
          await store.ensureTable(table)
          const rows = (value: string, n: number) =>
            Array.from({ length: 1_200 }, (_, i): StampedRow => ({
              key: [`k${String(i).padStart(5, '0')}`],
              cells: [{ value: `${hostileTexts[i % hostileTexts.length]!}${value}`, stamp: stamp(n) }],
              deleted: null,
            }))
          const first = batchOf(table, rows('a', 5))
          expect(await store.writeRows(table, first)).toEqual({ written: 1_200, stale: 0, rejected: [], foreign: [] })
          const again = rows('a', 5)
          again[17] = { ...again[17]!, cells: [{ value: 'other', stamp: stamp(5) }] }
          again[18] = { ...again[18]!, cells: [{ value: 'newer', stamp: stamp(6) }] }
          expect(await store.writeRows(table, batchOf(table, again))).toEqual({
            written: 1,
            stale: 1_199,
            rejected: [],
            foreign: [{ row: 17, column: 0 }],
          })
          const seen = await scanned(store, table)
          const expected = rows('a', 5)
          expected[18] = again[18]
          expect(seen).toEqual(expected)
          const read = await store.readRows(
            table,
            keysOf(
              table,
              expected.slice(0, 1_100).map(({ key }) => key),
            ),
          )
          expect(read.rows).toBe(1_100)
        } finally {
          await store.close()
        }
      }
    },
  )

  it('doctor finds each way of staging, and leaves nothing behind', async () => {
    const options = hive.options({ url: await databases.create() })
    const context: OpenContext = { access: 'read', directory: 'unused', replica: 'HIVE' }
    const found = []
    for await (const finding of hive.diagnose!(options, context)) found.push(finding)
    expect(found.filter(({ level }) => level === 'problem')).toEqual([])
    expect(found.map(({ check, message }) => `${check}: ${message}`)).toContain('staging: local works; it is used')
    const store = await hive.open(options, context)
    await store.close()
  })

  it('doctor warns of a configuration that lets statements write straight into the directory of a table', async () => {
    const options = hive.options({ url: `${await databases.create()}&set:hive.acid.direct.insert.enabled=true` })
    const warnings = []
    for await (const finding of hive.diagnose!(options, { access: 'read', directory: 'unused', replica: 'HIVE' })) {
      if (finding.level === 'warning' && finding.check === 'settings') warnings.push(finding)
    }
    expect(warnings).toMatchObject([{ message: expect.stringContaining('direct.insert') as string }])
  })
})
