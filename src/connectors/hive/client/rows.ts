import type { HiveBlock, HiveColumn, HiveTexts } from './connection.ts'

const STOP = 0
const STRING = 11
const STRUCT = 12
const MAP = 13
const LIST = 15
const FIXED: Readonly<Record<number, number>> = { 2: 1, 3: 1, 4: 8, 6: 2, 8: 4, 10: 8 }
const STATUS = 1
const RESULTS = 3
const TEXTS = 7
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
  return { rows: columns[0]?.nulls.length ?? 0, columns }
}

/** An answer to FetchResults without its rows, for who reads its status; `start` is where its fields begin. */
export function withoutRows(message: Buffer, start: number): Buffer {
  const reader = new Reader(message, start)
  if (reader.byte() !== STRUCT || message.readInt16BE(reader.skip(2)) !== STATUS) return message
  reader.fields(() => false)
  // The ends of the answer and of the struct that it is in.
  return Buffer.concat([message.subarray(0, reader.skip(0)), Buffer.of(STOP, STOP)])
}

/** A column of texts; its strings are made when somebody asks for them. */
class TextsColumn implements HiveColumn {
  readonly nulls: Uint8Array
  readonly texts: HiveTexts
  #values: string[] | undefined

  constructor(nulls: Uint8Array, texts: HiveTexts) {
    this.nulls = nulls
    this.texts = texts
  }

  get values(): string[] {
    const { bytes, places } = this.texts
    this.#values ??= Array.from(this.nulls, (_, i) => bytes.toString('utf8', places[2 * i], places[2 * i + 1]))
    return this.#values
  }
}

function readColumn(reader: Reader): HiveColumn {
  let values: HiveColumn['values'] = []
  let places: Uint32Array | undefined
  let bitmap: Buffer = Buffer.alloc(0)
  reader.fields((kind, type) => {
    if (type !== STRUCT) return false
    reader.fields((part, partType) => {
      if (part === 1 && partType === LIST) {
        reader.byte()
        const count = reader.length()
        if (kind === TEXTS) places = reader.places(count)
        else values = readValues(reader, kind, count)
        return true
      }
      if (part !== 2 || partType !== STRING) return false
      bitmap = reader.bytes(reader.length())
      return true
    })
    return true
  })
  if (places === undefined) return { nulls: nullsOf(bitmap, values.length), values }
  return new TextsColumn(nullsOf(bitmap, places.length / 2), { bytes: reader.message, places })
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
    case 8:
      reader.expect(4 * count)
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

  /** Where so many texts begin and end. */
  places(count: number): Uint32Array {
    const { message } = this
    this.expect(4 * count)
    const places = new Uint32Array(2 * count)
    let at = this.position
    for (let i = 0; i < count; i++) {
      const length = message.readInt32BE(at)
      if (length < 0 || at + 4 + length > message.length) throw new RangeError('the message ends too early')
      places[2 * i] = at + 4
      at += 4 + length
      places[2 * i + 1] = at
    }
    this.position = at
    return places
  }

  /** So many bytes at least must be left: before room is made for what they say there is. */
  expect(length: number): void {
    if (this.position + length > this.message.length) throw new RangeError('the message ends too early')
  }

  /** Walks over so many bytes; where they begin. */
  skip(length: number): number {
    const start = this.position
    this.expect(length)
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
