import { describe, expect, it } from 'vitest'
import { rowAt } from '../../src/core/batch.ts'
import { readRows, withoutRows } from '../../src/connectors/hive/client/rows.ts'
import { batchOfBlock } from '../../src/connectors/hive/read.ts'
import { textTable } from './hive-support.ts'

const int16 = (n: number): Buffer => Buffer.of(n >> 8, n & 255)
const int32 = (n: number): Buffer => Buffer.concat([int16(n >> 16), int16(n & 0xffff)])
const field = (type: number, id: number): Buffer => Buffer.concat([Buffer.of(type), int16(id)])

/** A column of texts as HiveServer2 writes it; `nulls` has a bit for each row. */
function texts(values: readonly Buffer[], nulls: Buffer): Buffer {
  const list = values.map((value) => Buffer.concat([int32(value.length), value]))
  return Buffer.concat([
    ...[field(12, 7), field(15, 1), Buffer.of(11), int32(values.length), ...list],
    ...[field(11, 2), int32(nulls.length), nulls, Buffer.of(0, 0)],
  ])
}

function answer(columns: readonly Buffer[]): Buffer {
  return Buffer.concat([
    ...[field(12, 1), field(8, 1), int32(0), Buffer.of(0)],
    ...[field(12, 3), field(10, 1), Buffer.alloc(8), field(15, 2), Buffer.of(12), int32(0)],
    ...[field(15, 3), Buffer.of(12), int32(columns.length), ...columns, Buffer.of(0, 0, 0)],
  ])
}

describe('the rows of HiveServer2', () => {
  const utf8 = (...all: string[]) => all.map((text) => Buffer.from(text))
  const none = Buffer.alloc(0)

  it('are texts that lie in the message, and strings for who asks', () => {
    const message = answer([texts(utf8('a', 'é', '\0😀'), none), texts(utf8('', '', 'x'), Buffer.of(0b10))])
    const block = readRows(message, 0)
    expect(block.rows).toBe(3)
    expect(block.columns.map(({ values }) => values)).toEqual([
      ['a', 'é', '\0😀'],
      ['', '', 'x'],
    ])
    expect([...block.columns[1]!.nulls]).toEqual([0, 1, 0])
  })

  it('become a batch byte by byte; what is no UTF-8, or whole only with its neighbour, is replaced as ever', () => {
    const stamps = texts(utf8('s', 's', 's'), none)
    const dead = texts(utf8('', '', ''), Buffer.of(0b111))
    const bad = [Buffer.of(0x61, 0xc3), Buffer.of(0xa9), Buffer.of(0xff)]
    const good = utf8('ß', '', '\u{10ffff}')
    const block = readRows(answer([texts(good, none), texts(bad, none), stamps, dead]), 0)
    const batch = batchOfBlock(textTable('t'), block)
    const rows = [0, 1, 2].map((i) => rowAt(batch, i))
    expect(rows.map(({ key, cells, deleted }) => [key[0], cells[0]?.value, cells[0]?.stamp, deleted])).toEqual([
      ['ß', 'a\ufffd', 's', null],
      ['', '\ufffd', 's', null],
      ['\u{10ffff}', '\ufffd', 's', null],
    ])
  })

  it('are refused where they run over the end, and left out for who reads the status', () => {
    const message = answer([texts(utf8('a', 'b'), none)])
    for (let end = 0; end < message.length - 3; end++) {
      expect(() => readRows(message.subarray(0, end), 0), String(end)).toThrow(RangeError)
    }
    expect(withoutRows(message, 0).toString('hex')).toBe('0c0001' + '080001' + '00000000' + '00' + '0000')
  })
})
