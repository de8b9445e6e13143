import type { RowBatch, TextColumn } from '../../core/batch.ts'

/*
 * A staging file: Parquet, with a row's number in the batch and its texts as they are, not compressed. The bytes of a
 * batch are the bytes of the file, so that nothing is decoded on the way. What stands here of the format is what is
 * written: one kind of page, PLAIN values behind definition levels, and a footer in Thrift's compact protocol.
 */

const MAGIC = Buffer.from('PAR1', 'latin1')
/** Rows of a group: what a task of the server reads by itself. */
const GROUP_ROWS = 131_072
/** A page ends with the row that makes it so long. */
const PAGE_BYTES = 1024 * 1024
/** Below this a loop beats a call of `set`. */
const SHORT = 64

const INT32 = 1
const BYTE_ARRAY = 6
const REQUIRED = 0
const OPTIONAL = 1
const UTF8 = 0
const PLAIN = 0
const RLE = 3
const UNCOMPRESSED = 0
const DATA_PAGE = 0

interface Chunk {
  readonly column: number
  readonly offset: number
  readonly bytes: number
  readonly values: number
}

interface Group {
  readonly rows: number
  readonly chunks: readonly Chunk[]
}

/**
 * Encodes rows as a file: column `r` with each row's number, then `f0`, `f1`, … of the batch, in the order keys, values,
 * stamps, tombstone. A piece at a time, each valid for good.
 * @param rows numbers of the rows
 */
export function* parquetFile(batch: RowBatch, rows: readonly number[], groupRows = GROUP_ROWS): Generator<Buffer> {
  const columns = [...batch.keys, ...batch.values, ...batch.stamps, batch.deleted]
  let at = MAGIC.length
  yield MAGIC
  const groups: Group[] = []
  for (let start = 0; start < rows.length; start += groupRows) {
    const some = rows.slice(start, start + groupRows)
    const chunks: Chunk[] = []
    for (let column = 0; column <= columns.length; column++) {
      const offset = at
      for (const piece of column === 0 ? numberPages(some) : textPages(columns[column - 1]!, some)) {
        at += piece.length
        yield piece
      }
      chunks.push({ column, offset, bytes: at - offset, values: some.length })
    }
    groups.push({ rows: some.length, chunks })
  }
  const footer = footerOf(columns.length, rows.length, groups)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(footer.length)
  yield Buffer.concat([footer, length, MAGIC])
}

function* numberPages(rows: readonly number[]): Generator<Buffer> {
  const bytes = Buffer.allocUnsafe(rows.length * 4)
  rows.forEach((row, i) => bytes.writeInt32LE(row, i * 4))
  yield pageHeader(rows.length, bytes.length)
  yield bytes
}

function* textPages(column: TextColumn, rows: readonly number[]): Generator<Buffer> {
  for (let start = 0; start < rows.length;) {
    const { end, bytes } = pageOf(column, rows, start)
    const levels = definitionLevels(column, rows, start, end)
    yield pageHeader(end - start, levels.length + bytes)
    yield levels
    yield plainTexts(column, rows, start, end, bytes)
    start = end
  }
}

/** How far a page goes, and the bytes of its values. */
function pageOf({ ends, nulls }: TextColumn, rows: readonly number[], start: number): { end: number; bytes: number } {
  let end = start
  let bytes = 0
  while (end < rows.length && bytes < PAGE_BYTES) {
    const row = rows[end++]!
    if (nulls?.[row] !== 1) bytes += 4 + ends[row]! - (row === 0 ? 0 : ends[row - 1]!)
  }
  return { end, bytes }
}

/** Each value behind its length. */
function plainTexts(column: TextColumn, rows: readonly number[], start: number, end: number, length: number): Buffer {
  const { bytes, ends, nulls } = column
  const out = Buffer.allocUnsafe(length)
  let at = 0
  for (let i = start; i < end; i++) {
    const row = rows[i]!
    if (nulls?.[row] === 1) continue
    const from = row === 0 ? 0 : ends[row - 1]!
    const size = ends[row]! - from
    out[at] = size
    out[at + 1] = size >>> 8
    out[at + 2] = size >>> 16
    out[at + 3] = size >>> 24
    at += 4
    if (size > SHORT) out.set(bytes.subarray(from, from + size), at)
    else for (let b = 0; b < size; b++) out[at + b] = bytes[from + b]!
    at += size
  }
  return out
}

/** One bit a row, 1 where there is a value: as one run where they are all the same, else packed. */
function definitionLevels({ nulls }: TextColumn, rows: readonly number[], start: number, end: number): Buffer {
  const count = end - start
  const first = nulls?.[rows[start]!] === 1 ? 0 : 1
  let same = true
  for (let i = start + 1; same && i < end; i++) same = (nulls?.[rows[i]!] === 1 ? 0 : 1) === first
  const out = new CompactWriter()
  if (same) {
    out.varint(count * 2)
    out.byte(first)
  } else {
    const groups = Math.ceil(count / 8)
    out.varint(groups * 2 + 1)
    const bits = Buffer.alloc(groups)
    for (let i = 0; i < count; i++) if (nulls?.[rows[start + i]!] !== 1) bits[i >> 3]! |= 1 << (i & 7)
    out.raw(bits)
  }
  const levels = out.take()
  const length = Buffer.alloc(4)
  length.writeUInt32LE(levels.length)
  return Buffer.concat([length, levels])
}

function pageHeader(values: number, bytes: number): Buffer {
  const out = new CompactWriter()
  out.int(1, DATA_PAGE)
  out.int(2, bytes)
  out.int(3, bytes)
  out.struct(5, () => {
    out.int(1, values)
    out.int(2, PLAIN)
    out.int(3, RLE)
    out.int(4, RLE)
  })
  out.end()
  return out.take()
}

function footerOf(texts: number, rows: number, groups: readonly Group[]): Buffer {
  const out = new CompactWriter()
  const names = ['r', ...Array.from({ length: texts }, (_, c) => `f${String(c)}`)]
  out.int(1, 1)
  out.structs(2, [undefined, ...names], (name) => {
    if (name === undefined) {
      out.text(4, 'rows')
      out.int(5, names.length)
      return
    }
    out.int(1, name === 'r' ? INT32 : BYTE_ARRAY)
    out.int(3, name === 'r' ? REQUIRED : OPTIONAL)
    out.text(4, name)
    if (name !== 'r') out.int(6, UTF8)
  })
  out.long(3, rows)
  out.structs(4, groups, ({ rows: count, chunks }) => {
    out.structs(1, chunks, ({ column, offset, bytes, values }) => {
      out.long(2, offset)
      out.struct(3, () => {
        out.int(1, column === 0 ? INT32 : BYTE_ARRAY)
        out.ints(2, column === 0 ? [PLAIN] : [RLE, PLAIN])
        out.texts(3, [names[column]!])
        out.int(4, UNCOMPRESSED)
        out.long(5, values)
        out.long(6, bytes)
        out.long(7, bytes)
        out.long(9, offset)
      })
    })
    out.long(
      2,
      chunks.reduce((sum, { bytes }) => sum + bytes, 0),
    )
    out.long(3, count)
  })
  out.text(6, 'merganser')
  out.end()
  return out.take()
}

/* Types of fields in Thrift's compact protocol. */
const I32 = 5
const I64 = 6
const BINARY = 8
const LIST = 9
const STRUCT = 12

/** Thrift's compact protocol, as far as it is needed here: fields by rising numbers. */
class CompactWriter {
  readonly #bytes: number[] = []
  #last = 0

  byte(value: number): void {
    this.#bytes.push(value)
  }

  raw(bytes: Uint8Array): void {
    for (const byte of bytes) this.#bytes.push(byte)
  }

  /** Whole numbers up to 2^53. */
  varint(value: number): void {
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.byte((rest % 0x80) | 0x80)
    this.byte(rest)
  }

  int(field: number, value: number): void {
    this.#field(field, I32)
    this.varint(value * 2)
  }

  long(field: number, value: number): void {
    this.#field(field, I64)
    this.varint(value * 2)
  }

  text(field: number, value: string): void {
    this.#field(field, BINARY)
    this.#string(value)
  }

  ints(field: number, values: readonly number[]): void {
    this.#list(field, I32, values.length)
    for (const value of values) this.varint(value * 2)
  }

  texts(field: number, values: readonly string[]): void {
    this.#list(field, BINARY, values.length)
    for (const value of values) this.#string(value)
  }

  struct(field: number, write: () => void): void {
    this.#field(field, STRUCT)
    this.#nested(write)
  }

  structs<T>(field: number, items: readonly T[], write: (item: T) => void): void {
    this.#list(field, STRUCT, items.length)
    for (const item of items) {
      this.#nested(() => {
        write(item)
      })
    }
  }

  end(): void {
    this.byte(0)
  }

  take(): Buffer {
    return Buffer.from(this.#bytes)
  }

  #nested(write: () => void): void {
    const outer = this.#last
    this.#last = 0
    write()
    this.end()
    this.#last = outer
  }

  #string(value: string): void {
    this.varint(Buffer.byteLength(value))
    this.raw(Buffer.from(value, 'utf8'))
  }

  #list(field: number, type: number, count: number): void {
    this.#field(field, LIST)
    if (count < 15) this.byte((count << 4) | type)
    else {
      this.byte(0xf0 | type)
      this.varint(count)
    }
  }

  #field(field: number, type: number): void {
    this.byte(((field - this.#last) << 4) | type)
    this.#last = field
  }
}
