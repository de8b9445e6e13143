import { TextColumnBuilder, type RowBatch } from '../../core/batch.ts'
import type { Column } from '../../core/table.ts'
import type { Element } from '../documents/bson-reader.ts'
import { textOf } from '../documents/bson-reader.ts'
import { BsonType } from '../documents/bson-types.ts'
import type { Layout } from '../documents/layout.ts'

/** A name's meaning among the elements of a document: a value column's number, or one of these. */
const OTHER = -1
const ID = -2
const STAMPS = -3
const DELETED = -4

/** Which elements a document had, in their order: most have what the one before had. */
interface Expected {
  readonly names: Buffer[]
  readonly meanings: number[]
}

/** The places of the elements of a row; kept from row to row, so that nothing is allocated for one. */
class Places {
  readonly types: Int32Array
  readonly offsets: Int32Array
  readonly lengths: Int32Array

  constructor(columns: number) {
    this.types = new Int32Array(columns)
    this.offsets = new Int32Array(columns)
    this.lengths = new Int32Array(columns)
  }

  set(column: number, type: number, offset: number, length: number): void {
    this.types[column] = type
    this.offsets[column] = offset
    this.lengths[column] = length
  }

  element(column: number): Element | undefined {
    const type = this.types[column]!
    if (type === 0) return undefined
    return { type, start: 0, offset: this.offsets[column]!, length: this.lengths[column]! }
  }
}

/** The text of a value that isn't a string in a column of strings. */
type ValueText = (column: Column, bytes: Buffer, found: Element | undefined) => string | null

/**
 * Puts documents of a table, as their BSON bytes, into the columns of a batch: texts go over as bytes. A value without a
 * stamp is a value with a null stamp. Throws RangeError, or what `valueText` throws, for what is no row of the table.
 */
export class DocumentRows {
  readonly #layout: Layout
  readonly #valueText: ValueText
  readonly #keys: TextColumnBuilder[]
  readonly #values: TextColumnBuilder[]
  readonly #stamps: TextColumnBuilder[]
  readonly #deleted = new TextColumnBuilder()
  readonly #document: Expected = { names: [], meanings: [] }
  readonly #within: Expected = { names: [], meanings: [] }
  readonly #valuePlaces: Places
  readonly #stampPlaces: Places
  /** Where the element that was looked at last ends. */
  #end = 0
  rows = 0

  constructor(layout: Layout, valueText: ValueText) {
    this.#layout = layout
    this.#valueText = valueText
    const columns = (fields: readonly unknown[]) => fields.map(() => new TextColumnBuilder())
    this.#keys = columns(layout.key)
    this.#values = columns(layout.values)
    this.#stamps = columns(layout.values)
    this.#valuePlaces = new Places(layout.values.length)
    // The last one is the tombstone's.
    this.#stampPlaces = new Places(layout.values.length + 1)
  }

  push(bytes: Buffer): void {
    const { values } = this.#layout
    this.#valuePlaces.types.fill(0)
    this.#stampPlaces.types.fill(0)
    const id = this.#takeApart(bytes)
    this.#pushKey(bytes, id)
    const last = values.length
    for (let c = 0; c < last; c++) {
      this.#pushValue(bytes, c)
      this.#pushStamp(this.#stamps[c]!, bytes, c)
    }
    this.#pushStamp(this.#deleted, bytes, last)
    this.rows++
  }

  /** What was pushed since the last time; in buffers of `roomFor`. */
  take(): RowBatch {
    const batch = {
      rows: this.rows,
      keys: this.#keys.map((column) => column.take()),
      values: this.#values.map((column) => column.take()),
      stamps: this.#stamps.map((column) => column.take()),
      deleted: this.#deleted.take(),
    }
    this.rows = 0
    return batch
  }

  /** Finds the places of values and stamps; gives where the document of `_id` starts. */
  #takeApart(bytes: Buffer): number {
    let id = -1
    let at = 4
    for (let position = 0; bytes[at] !== 0; position++) {
      const type = bytes[at]!
      const meaning = this.#meaningAt(bytes, at + 1, this.#document, position, documentMeaning)
      const offset = this.#end
      const length = lengthOf(type, bytes, offset)
      if (position === 0 && (meaning !== ID || type !== BsonType.document)) throw new RangeError('no document of ours')
      if (meaning >= 0) this.#valuePlaces.set(meaning, type, offset, length)
      else if (meaning === ID) id = offset
      else if (meaning === STAMPS && type === BsonType.document) this.#takeStamps(bytes, offset)
      at = offset + length
    }
    if (id < 0) throw new RangeError('no document of ours')
    return id
  }

  #takeStamps(bytes: Buffer, start: number): void {
    let at = start + 4
    for (let position = 0; bytes[at] !== 0; position++) {
      const type = bytes[at]!
      const meaning = this.#meaningAt(bytes, at + 1, this.#within, position, stampMeaning)
      const offset = this.#end
      const length = lengthOf(type, bytes, offset)
      if (type !== BsonType.string) throw new RangeError('a stamp that is no text')
      if (meaning >= 0) this.#stampPlaces.set(meaning, type, offset, length)
      else if (meaning === DELETED) this.#stampPlaces.set(this.#layout.values.length, type, offset, length)
      at = offset + length
    }
  }

  /** What the name at `at` means; the value then starts at `#end`. */
  #meaningAt(
    bytes: Buffer,
    at: number,
    { names, meanings }: Expected,
    position: number,
    find: (layout: Layout, name: string) => number,
  ): number {
    const expected = names[position]
    if (expected !== undefined && isAt(bytes, at, expected)) {
      this.#end = at + expected.length
      return meanings[position]!
    }
    const end = bytes.indexOf(0, at)
    if (end < 0) throw new RangeError('a document without an end')
    this.#end = end + 1
    names[position] = Buffer.from(bytes.subarray(at, end + 1))
    return (meanings[position] = find(this.#layout, bytes.toString('latin1', at, end)))
  }

  #pushKey(bytes: Buffer, start: number): void {
    let at = start + 4
    for (const [c, { column, name }] of this.#layout.key.entries()) {
      const type = bytes[at]!
      if (type === 0 || !isAt(bytes, at + 1, name)) throw new RangeError('an _id of other columns')
      const offset = at + 1 + name.length
      const length = lengthOf(type, bytes, offset)
      if (type === BsonType.string && column.type.name === 'string') {
        this.#keys[c]!.pushBytes(bytes, offset + 4, offset + length - 1)
      } else this.#keys[c]!.push(textOf(column.type, bytes, { type, start: at, offset, length }))
      at = offset + length
    }
    if (bytes[at] !== 0) throw new RangeError('an _id of other columns')
  }

  #pushValue(bytes: Buffer, c: number): void {
    const { column } = this.#layout.values[c]!
    const places = this.#valuePlaces
    const type = places.types[c]!
    if (type === BsonType.string && column.type.name === 'string') {
      const offset = places.offsets[c]!
      this.#values[c]!.pushBytes(bytes, offset + 4, offset + places.lengths[c]! - 1)
    } else if (type === 0) this.#values[c]!.push(null)
    else this.#values[c]!.push(this.#valueText(column, bytes, places.element(c)))
  }

  #pushStamp(into: TextColumnBuilder, bytes: Buffer, c: number): void {
    const places = this.#stampPlaces
    if (places.types[c] === 0) {
      into.push(null)
      return
    }
    const offset = places.offsets[c]!
    into.pushBytes(bytes, offset + 4, offset + places.lengths[c]! - 1)
  }
}

function documentMeaning({ numbers }: Layout, name: string): number {
  if (name === '_id') return ID
  return numbers.get(name) ?? (name === 'stamps' ? STAMPS : OTHER)
}

function stampMeaning({ numbers, deletedName }: Layout, name: string): number {
  return name === deletedName ? DELETED : (numbers.get(name) ?? OTHER)
}

/** Whether these bytes, the zero behind a name included, are there. */
function isAt(bytes: Buffer, at: number, name: Buffer): boolean {
  for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name[i]) return false
  return true
}

/** Bytes of a value. */
function lengthOf(type: number, bytes: Buffer, at: number): number {
  const length = at + 4 <= bytes.length ? bytes.readInt32LE(at) : 0
  switch (type) {
    case 0x01: // double
    case 0x09: // date
    case 0x11: // timestamp
    case 0x12: // int64
      return 8
    case 0x02: // string
    case 0x0d: // code
    case 0x0e: // symbol
      return within(4 + length)
    case 0x03: // document
    case 0x04: // array
    case 0x0f: // code with scope
      return within(length)
    case 0x05: // binary
      return within(5 + length)
    case 0x07: // object id
      return 12
    case 0x08: // boolean
      return 1
    case 0x06: // undefined
    case 0x0a: // null
    case 0x7f: // greatest key
    case 0xff: // least key
      return 0
    case 0x0b: // regular expression: two names
      return bytes.indexOf(0, bytes.indexOf(0, at) + 1) + 1 - at
    case 0x0c: // pointer
      return within(4 + length + 12)
    case 0x10: // int32
      return 4
    case 0x13: // decimal
      return 16
    default:
      throw new RangeError('a type that BSON has not')
  }

  function within(size: number): number {
    if (size < 4 || at + size > bytes.length) throw new RangeError('a document that ends early')
    return size
  }
}
