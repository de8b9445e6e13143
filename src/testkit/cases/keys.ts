import { strict as assert } from 'node:assert'
import { keyBytes, MAX_KEY_BYTES, type TableSchema } from '../../core/table.ts'
import { keyable, parseType } from '../../core/types.ts'
import type { StampedRow } from '../../core/batch.ts'
import type { KeyRange } from '../../connectors/connector.ts'
import type { Case } from '../case.ts'
import { SeededRandom } from '../../core/seeded-random.ts'
import { edgeValues, hostileTexts } from '../samples.ts'
import { read, row, scan, stamp, writeAll, type World } from '../world.ts'
import { assertDigests, canDigest } from './digest-check.ts'
import { assertHeld } from './values.ts'

const SEED = 22112026

/** Rows in the order of their canonical key bytes: strings by UTF-8 bytes, other types by value. */
export function inKeyOrder(table: TableSchema, rows: readonly StampedRow[]): StampedRow[] {
  return [...rows].sort((a, b) => Buffer.compare(keyBytes(table, a.key), keyBytes(table, b.key)))
}

const perType: readonly Case[] = Object.entries(edgeValues)
  .filter(([spelling]) => keyable(parseType(spelling)!))
  .map(([spelling, values]) => ({
    name: `${spelling} keys at their edges are held exactly or rejected, scanned in key order, also after each of them, and digested`,
    timeLimit: 120_000,
    async run(world: World) {
      const { store, table } = await world.ensured({ k: spelling }, { v: 'string' })
      const rows = values.map((text) => row(text, [`value of ${String(text.length)}`], stamp(1)))
      const shuffled = new SeededRandom(SEED).shuffled(rows)
      await assertHeld(world, store, table, shuffled)
      const ordered = inKeyOrder(
        table,
        rows.filter((one) => world.misfit(table, one) === undefined),
      )
      assert.deepEqual(await scan(store, table), ordered)
      for (let i = 0; i < ordered.length; i += Math.ceil(ordered.length / world.times(30, 4))) {
        assert.deepEqual(await scan(store, table, ordered[i]!.key), ordered.slice(i + 1), `after row ${String(i)}`)
      }
      if (!canDigest(world, store, table)) return
      const keys = ordered.map(({ key }) => key)
      const ranges = keys.flatMap((key, i) => [{ upTo: key }, { after: key, ...next(keys, i) }])
      await assertDigests(store, table, ranges.slice(0, 60))
    },
  }))

function next(keys: readonly (readonly string[])[], i: number): KeyRange {
  const upTo = keys[i + 1]
  return upTo === undefined ? {} : { upTo }
}

const composite: readonly Case[] = [
  {
    name: 'keys of several columns and types are told apart, found and scanned in the order of the columns',
    async run(world) {
      const spellings = ['string', 'int64', 'date', 'boolean', 'bytes', 'decimal(38,18)', 'timestamp(3)', 'string']
      const columns = Object.fromEntries(spellings.map((spelling, c) => [`k${String(c)}`, spelling]))
      const { store, table } = await world.ensured(columns, { v: 'string' })
      const random = new SeededRandom(SEED)
      const short = hostileTexts.filter((text) => text.length < 12)
      const few = spellings.map((spelling) =>
        (spelling === 'string' ? short : edgeValues[spelling]!).filter(
          (text) =>
            world.misfit(world.table({ k: spelling }, { v: 'string' }), row(text, ['v'], stamp(1))) === undefined,
        ),
      )
      const narrow = few.map((texts) => random.shuffled(texts).slice(0, 3))
      const rows = new Map<string, StampedRow>()
      for (let i = 0; i < 400; i++) {
        const key = (i % 2 === 0 ? narrow : few).map((texts) => random.pick(texts))
        rows.set(JSON.stringify(key), row(key, [`v${String(i)}`], stamp(i)))
      }
      const all = [...rows.values()]
      await assertHeld(world, store, table, all)
      const ordered = inKeyOrder(table, all)
      assert.deepEqual(await scan(store, table), ordered)
      for (const i of [57, 0, ordered.length - 1, 1, ordered.length - 2].slice(0, world.times(5, 2))) {
        assert.deepEqual(await scan(store, table, ordered[i]!.key), ordered.slice(i + 1))
      }
    },
  },
  {
    name: 'items of a key can not run into each other',
    async run(world) {
      const { store, table } = await world.ensured({ a: 'string', b: 'string' }, { v: 'string' })
      const parts = [
        '',
        'a',
        'b',
        'ab',
        'a,b',
        ',',
        '"',
        'a"',
        '\\',
        'a\\',
        '\u0001',
        'a\u0001',
        '\0',
        'a\0',
        '\0\u0001',
      ]
      const keys = parts.flatMap((a) => parts.map((b) => [a, b]))
      const rows = keys.map((key, i) => row(key, [String(i)], stamp(1)))
      await assertHeld(world, store, table, rows)
    },
  },
  {
    name: 'a string key with nothing but prefixes, NULs, astral characters and U+FFFF is scanned by its UTF-8 bytes',
    async run(world) {
      const { store, table } = await world.ensured({ a: 'string', b: 'int64' }, { v: 'string' })
      const units = ['a', '\u{10000}', '\uffff', '\ue000', '\0', '\u0001', 'é', 'B', '\ud7ff', ' ']
      const texts = ['', ...units, ...units.flatMap((x) => units.map((y) => x + y)), 'a\0\0', 'a\0a', 'aaa']
      const usable = texts.filter((text) => world.misfit(table, row([text, '0'], ['v'], stamp(1))) === undefined)
      const rows = usable.flatMap((text) => ['-10', '-9', '0', '9', '10'].map((n) => row([text, n], ['v'], stamp(1))))
      await writeAll(store, table, new SeededRandom(SEED).shuffled(rows))
      const ordered = inKeyOrder(table, rows)
      assert.deepEqual(await scan(store, table), ordered)
      const absent = ['a', '5']
      const after = ordered.filter((one) => Buffer.compare(keyBytes(table, one.key), keyBytes(table, absent)) > 0)
      assert.deepEqual(await scan(store, table, absent), after, 'after a key that is not there')
    },
  },
  {
    name: 'keys of 2,000 canonical bytes are held and told apart by their last byte, longer ones rejected',
    async run(world) {
      const { store, table } = await world.ensured({ a: 'string', b: 'string' }, { v: 'string' })
      const most = Math.min(MAX_KEY_BYTES, world.capabilities.keyBytes) - 4
      const half = most / 2
      const rows = [
        row(['x'.repeat(most), ''], ['1'], stamp(1)),
        row(['x'.repeat(most - 1) + 'y', ''], ['2'], stamp(1)),
        row(['', 'x'.repeat(most)], ['3'], stamp(1)),
        row(['x'.repeat(half), 'x'.repeat(half)], ['4'], stamp(1)),
        row(['\u{10ffff}'.repeat(most / 4), ''], ['5'], stamp(1)),
        row(['\'\\"\n'.repeat(most / 4), ''], ['6'], stamp(1)),
        row(['x'.repeat(world.capabilities.keyBytes), ''], ['too long'], stamp(1)),
        row(['', 'é'.repeat(world.capabilities.keyBytes)], ['too long'], stamp(1)),
      ]
      await assertHeld(world, store, table, rows)
      assert.deepEqual(await scan(store, table), inKeyOrder(table, rows.slice(0, 6)))
    },
  },
  {
    name: 'I8: keys and values that look like code, patterns or paths are only data',
    async run(world) {
      const { store, table } = await world.ensured({ k: 'string' }, { v: 'string', j: 'json' })
      const holds = (text: string) => world.misfit(table, row(text, [text, null], stamp(1))) === undefined
      const texts = hostileTexts.filter(holds)
      const rows = texts.map((text) => row(text, [text, JSON.stringify(text).includes('\\u') ? null : '"j"'], stamp(1)))
      await writeAll(store, table, rows)
      const step = Math.ceil(texts.length / world.times(texts.length, 8))
      for (let i = 0; i < texts.length; i += step) {
        assert.deepEqual(await read(store, table, [[texts[i]!]]), [rows[i]], JSON.stringify(texts[i]))
      }
      const batch = await read(
        store,
        table,
        texts.map((text) => [text]),
      )
      assert.deepEqual(batch, rows)
    },
  },
]

export const keyCases: readonly Case[] = [...perType, ...composite]
