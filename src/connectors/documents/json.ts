import { onDemand } from 'bson'
import { canonicalJson } from '../../core/json.ts'
import { BsonType } from './bson-types.ts'

/**
 * A JSON document as the driver's encoder takes it. Objects become maps: no name in them means anything to the encoder
 * then (`_bsontype`, `toBSON`, `__proto__`).
 */
export function jsonForBson(text: string): unknown {
  return mapped(JSON.parse(text))
}

function mapped(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(mapped)
  if (typeof value !== 'object' || value === null) return value
  return new Map(Object.entries(value).map(([name, member]) => [name, mapped(member)]))
}

/**
 * The canonical JSON text of a BSON value. Read element by element: the driver's decoder would make references of
 * members called `$ref`.
 */
export function jsonOfBson(bytes: Buffer, type: number, offset: number, length: number): string {
  const canonical = canonicalJson(plain(bytes, type, offset, length))
  if ('reason' in canonical) throw new RangeError(`not JSON: ${canonical.reason}`)
  return canonical.text
}

function plain(bytes: Buffer, type: number, offset: number, length: number): string {
  switch (type) {
    case BsonType.null:
      return 'null'
    case BsonType.boolean:
      return bytes[offset] === 1 ? 'true' : 'false'
    case BsonType.int32:
      return String(bytes.readInt32LE(offset))
    case BsonType.int64:
      return String(bytes.readBigInt64LE(offset))
    case BsonType.double:
      return String(bytes.readDoubleLE(offset))
    case BsonType.string:
      return JSON.stringify(bytes.toString('utf8', offset + 4, offset + length - 1))
    case BsonType.array:
      return `[${members(bytes, offset, () => '')}]`
    case BsonType.document:
      return `{${members(bytes, offset, (start, size) => `${JSON.stringify(bytes.toString('utf8', start, start + size))}:`)}}`
    default:
      throw new RangeError(`a BSON value of type ${String(type)} is no JSON`)
  }
}

function members(bytes: Buffer, offset: number, name: (start: number, size: number) => string): string {
  const elements = [...onDemand.parseToElements(bytes, offset)]
  return elements
    .map(([type, nameOffset, nameLength, at, length]) => name(nameOffset, nameLength) + plain(bytes, type, at, length))
    .join(',')
}
