import { Decimal128, onDemand } from 'bson'
import { floatText, parseValue, type ColumnType } from '../../core/types.ts'
import { BsonType } from './bson-types.ts'
import { jsonOfBson } from './json.ts'
import type { Layout } from './layout.ts'

/** Where an element lies in its document: type, then where its name and its value start, and the value's length. */
export interface Element {
  readonly type: number
  /** The type byte before the name. */
  readonly start: number
  readonly offset: number
  readonly length: number
}

/** A document taken apart, not decoded. Its bytes may change with the next read of the database. */
export interface StoredDocument {
  readonly bytes: Buffer
  /** Where the document of `_id` starts. */
  readonly id: number
  /** By value column. */
  readonly values: readonly (Element | undefined)[]
  readonly stamps: readonly (Element | undefined)[]
  readonly deleted: Element | undefined
}

type Parsed = readonly [type: number, nameOffset: number, nameLength: number, offset: number, length: number]

function element([type, nameOffset, , offset, length]: Parsed): Element {
  return { type, start: nameOffset - 1, offset, length }
}

/**
 * Takes the document at the start of `bytes` apart: `_id` first, everything else in any order, fields that are no
 * columns passed over. Without `stamps` it has no registers. Throws RangeError where the bytes are none of this layout.
 */
export function takeApart(layout: Layout, bytes: Buffer): StoredDocument {
  const elements = onDemand.parseToElements(bytes) as readonly Parsed[]
  const first = elements[0]
  if (first?.[0] !== BsonType.document || nameAt(bytes, first) !== '_id') throw new RangeError('no document of ours')
  const values: (Element | undefined)[] = new Array<undefined>(layout.values.length).fill(undefined)
  const stamps: (Element | undefined)[] = new Array<undefined>(layout.values.length).fill(undefined)
  let deleted: Element | undefined
  for (let e = 1; e < elements.length; e++) {
    const name = nameAt(bytes, elements[e]!)
    const number = layout.numbers.get(name)
    if (number !== undefined) values[number] = element(elements[e]!)
    else if (name === 'stamps' && elements[e]![0] === BsonType.document) {
      deleted = takeStamps(layout, bytes, elements[e]![3], stamps)
    }
  }
  return { bytes, id: first[3], values, stamps, deleted }
}

/** Fills in the stamps; gives the tombstone. */
function takeStamps(layout: Layout, bytes: Buffer, at: number, stamps: (Element | undefined)[]): Element | undefined {
  let deleted: Element | undefined
  for (const parsed of onDemand.parseToElements(bytes, at) as readonly Parsed[]) {
    if (parsed[0] !== BsonType.string) throw new RangeError('a stamp that is no text')
    const name = nameAt(bytes, parsed)
    const number = layout.numbers.get(name)
    if (name === layout.deletedName) deleted = element(parsed)
    else if (number !== undefined) stamps[number] = element(parsed)
  }
  return deleted
}

function nameAt(bytes: Buffer, [, nameOffset, nameLength]: Parsed): string {
  return bytes.toString('latin1', nameOffset, nameOffset + nameLength)
}

/** The canonical texts of the key columns. */
export function keyOf(layout: Layout, document: StoredDocument): string[] {
  const elements = [...onDemand.parseToElements(document.bytes, document.id)] as readonly Parsed[]
  if (elements.length !== layout.key.length) throw new RangeError('an _id of other columns')
  return layout.key.map(({ column }, c) => {
    const parsed = elements[c]!
    if (nameAt(document.bytes, parsed) !== column.name) throw new RangeError('an _id of other columns')
    return textOf(column.type, document.bytes, element(parsed))!
  })
}

/** A stamp's text. */
export function stampOf(bytes: Buffer, { offset, length }: Element): string {
  return bytes.toString('latin1', offset + 4, offset + length - 1)
}

/** The canonical text of a value; null for a null. */
export function textOf(type: ColumnType, bytes: Buffer, found: Element | undefined): string | null {
  if (found === undefined || (found.type === BsonType.null && type.name !== 'json')) return null
  const { offset, length } = found
  switch (type.name) {
    case 'string':
      return bytes.toString('utf8', offset + 4, offset + length - 1)
    case 'int64':
      return String(bytes.readBigInt64LE(offset))
    case 'float64':
      return floatText(bytes.readDoubleLE(offset))
    case 'decimal':
      return decimalText(type, new Decimal128(Uint8Array.from(bytes.subarray(offset, offset + 16))).toString())
    case 'boolean':
      return bytes[offset] === 1 ? 'true' : 'false'
    case 'bytes':
      // As text where it must sort by its bytes: BSON sorts binaries by their length first.
      if (found.type === BsonType.string) return bytes.toString('latin1', offset + 4, offset + length - 1)
      return `\\x${bytes.toString('hex', offset + 5, offset + length)}`
    case 'date':
      return isoDate(bytes, offset).slice(0, 10)
    case 'timestamp':
      return timestampText(
        found.type === BsonType.date
          ? isoDate(bytes, offset)
          : bytes.toString('latin1', offset + 4, offset + length - 1),
      )
    default:
      return jsonOfBson(bytes, found.type, offset, length)
  }
}

function decimalText(type: ColumnType, text: string): string {
  if (!text.includes('E')) return text
  const parsed = parseValue(type, text)
  if ('reason' in parsed) throw new RangeError(`a decimal that its column does not hold: ${parsed.reason}`)
  return parsed.text
}

function isoDate(bytes: Buffer, offset: number): string {
  return new Date(Number(bytes.readBigInt64LE(offset))).toISOString()
}

/** Without the fraction's trailing zeros. */
function timestampText(text: string): string {
  const fraction = text.slice(20, -1).replace(/0+$/, '')
  return `${text.slice(0, 10)} ${text.slice(11, 19)}${fraction === '' ? '' : `.${fraction}`}Z`
}
