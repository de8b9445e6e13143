import type { HiveBlock, HiveColumn } from './connection.ts'

const STOP = 0
const STRING = 11
const STRUCT = 12
const MAP = 13
const LIST = 15
const FIXED: Readonly<Record<number, number>> = { 2: 1, 3: 1, 4: 8, 6: 2, 8: 4, 10: 8 }
const RESULTS = 3
const COLUMNS = 3

/** Reads the columns of an answer to FetchResults; `start` is where its fields begin. */
export function readRows(message: Buffer, start: number): HiveBlock {
  const reader = new Reader(message, start)
  const columns: HiveColumn[] = []
  reader.fields((id, type) => {
    if (id !== RESULTS || type !== STRUCT) return false
    reader.fields((part, partType) => {
      if (part !== COLUMNS || partType !== LIST) return false
      reader.byte()
      const count = reader.length()
      for (let i = 0; i < count; i++) columns.push(readColumn(reader))
      return true
    })
    return true
  })
  return { rows: columns[0]?.values.length ?? 0, columns }
}

function readColumn(reader: Reader): HiveColumn {
  let values: HiveColumn['values'] = []
  let bitmap: Buffer = Buffer.alloc(0)
  reader.fields((kind, type) => {
    if (type !== STRUCT) return false
    reader.fields((part, partType) => {
      if (part === 1 && partType === LIST) {
        reader.byte()
        values = readValues(reader, kind, reader.length())
        return true
      }
      if (part !== 2 || partType !== STRING) return false
      bitmap = reader.bytes(reader.length())
      return true
    })
    return true
  })
  return { nulls: nullsOf(bitmap, values.length), values }
}

function readValues(reader: Reader, kind: number, count: number): HiveColumn['values'] {
  const bytes = reader.message
  const fixed = (size: number) => reader.skip(size * count)
  switch (kind) {
    case 1:
      return list(count, fixed(1), 1, (at) => bytes[at] !== 0)
    case 2:
      return list(count, fixed(1), 1, (at) => bytes.readInt8(at))
    case 3:
      return list(count, fixed(2), 2, (at) => bytes.readInt16BE(at))
    case 4:
      return list(count, fixed(4), 4, (at) => bytes.readInt32BE(at))
    case 5:
      return list(count, fixed(8), 8, (at) => bytes.readBigInt64BE(at))
    case 6:
      return list(count, fixed(8), 8, (at) => bytes.readDoubleBE(at))
    case 7:
      return Array.from({ length: count }, () => reader.text())
    case 8:
      return Array.from({ length: count }, () => reader.bytes(reader.length()))
    default:
      throw new RangeError('a column of an unknown kind')
  }
}

function list<T>(count: number, start: number, size: number, read: (at: number) => T): T[] {
  const values = new Array<T>(count)
  for (let i = 0; i < count; i++) values[i] = read(start + i * size)
  return values
}

/** A bit per row becomes a byte per row; the server leaves zeros at the end out. */
function nullsOf(bitmap: Buffer, rows: number): Uint8Array {
  const nulls = new Uint8Array(rows)
  const marked = Math.min(rows, bitmap.length * 8)
  for (let i = 0; i < marked; i++) nulls[i] = (bitmap[i >> 3]! >> (i & 7)) & 1
  return nulls
}

/** Reads thrift's binary protocol. Running over the end of the message is a RangeError. */
class Reader {
  readonly message: Buffer
  private position: number

  constructor(message: Buffer, start: number) {
    this.message = message
    this.position = start
  }

  byte(): number {
    return this.message.readUInt8(this.skip(1))
  }

  length(): number {
    const found = this.message.readInt32BE(this.skip(4))
    if (found < 0) throw new RangeError('a negative length')
    return found
  }

  bytes(length: number): Buffer {
    const start = this.skip(length)
    return this.message.subarray(start, this.position)
  }

  text(): string {
    const length = this.length()
    const start = this.skip(length)
    return this.message.toString('utf8', start, this.position)
  }

  /** Walks over so many bytes; where they begin. */
  skip(length: number): number {
    const start = this.position
    if (start + length > this.message.length) throw new RangeError('the message ends too early')
    this.position += length
    return start
  }

  /** Walks over a struct; what `take` doesn't take, is skipped. */
  fields(take: (id: number, type: number) => boolean): void {
    for (;;) {
      const type = this.byte()
      if (type === STOP) return
      const id = this.message.readInt16BE(this.skip(2))
      if (!take(id, type)) this.skipValue(type)
    }
  }

  private skipValue(type: number): void {
    const fixed = FIXED[type]
    if (fixed !== undefined) this.skip(fixed)
    else if (type === STRING) this.skip(this.length())
    else if (type === STRUCT) this.fields(() => false)
    else {
      const types = [this.byte(), ...(type === MAP ? [this.byte()] : [])]
      const count = this.length()
      for (let i = 0; i < count; i++) for (const one of types) this.skipValue(one)
    }
  }
}
