import { describe, expect, test } from 'vitest'
import { batchOf, keyAt, keysOf, rowAt, TextColumnBuilder, textAt, type StampedRow } from '../../src/core/batch.ts'
import { RowInput } from '../../src/core/state.ts'
import { ensure, forAll } from './random.ts'
import { PAIRS } from './state/world.ts'
import { string } from './values.ts'

const STAMP = '2026-11-22 15:11:21.956711651Z@HIVE'

describe('batches', () => {
  test('texts and nulls come back, however many and long', () => {
    forAll(20_000, (draws) => {
      const texts = Array.from({ length: draws.below(40) }, () => (draws.below(4) === 0 ? null : string(draws, 12)))
      const builder = new TextColumnBuilder(1, 1)
      for (const text of texts) builder.push(text)
      const column = builder.build()
      ensure(
        texts.every((text, i) => textAt(column, i) === text),
        texts,
      )
      ensure(column.ends.length === texts.length && column.bytes.length === builder.bytes, texts)
      ensure((column.nulls !== undefined) === texts.includes(null), texts)
    })
  })

  test('a built column shares nothing with its builder and has a buffer of its own, which can cross threads', () => {
    const builder = new TextColumnBuilder()
    builder.push('first')
    const column = builder.build()
    builder.push('second')
    expect(column.ends.length).toBe(1)
    expect(column.bytes.buffer.byteLength).toBe(5)
    expect(textAt(structuredClone(column), 0)).toBe('first')
    expect(column.bytes.constructor).toBe(Uint8Array)
  })

  test('rows come back: no register, a null in one, a tombstone', () => {
    const rows: StampedRow[] = [
      { key: ['k'], cells: [{ value: 'x', stamp: STAMP }, null], deleted: null },
      {
        key: [''],
        cells: [
          { value: null, stamp: STAMP },
          { value: '', stamp: STAMP },
        ],
        deleted: null,
      },
      { key: ['\0\u{1f600}'], cells: [null, null], deleted: STAMP },
    ]
    const batch = batchOf(PAIRS, rows)
    expect(rows.map((_, i) => rowAt(batch, i))).toEqual(rows)
    expect(rows.map((_, i) => keyAt(batch, i))).toEqual(rows.map((row) => row.key))
  })

  test('keys come back, and no keys are a batch too', () => {
    expect(keyAt(keysOf(PAIRS, [['a'], ['b']]), 1)).toEqual(['b'])
    expect(keysOf(PAIRS, []).rows).toBe(0)
    expect(batchOf(PAIRS, []).rows).toBe(0)
  })

  test('one input object is filled again and again, with keys and values of any length', () => {
    const input = new RowInput()
    for (const length of [0, 10, 5000, 3, 600_000, 1]) {
      const key = Buffer.alloc(length, 'k')
      input.setKey(key)
      input.clear()
      const values = ['é'.repeat(length), null, '', '\u{1f600}'.repeat(length)]
      values.forEach((value, i) => {
        input.addCell(i, value)
      })
      expect(input.keyLength).toBe(length)
      expect(Buffer.compare(input.key.subarray(0, input.keyLength), key)).toBe(0)
      expect(values.map((_, i) => input.cell(i) === values[i])).toEqual([true, true, true, true])
      expect(input.count).toBe(4)
    }
  })
})
