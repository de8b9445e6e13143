import { Decimal128, serialize } from 'bson'
import type { ColumnType } from '../../core/types.ts'
import { BsonType, isBsonDate } from './bson-types.ts'
import { jsonForBson } from './json.ts'

/**
 * Writes documents into one buffer that is used again for the next one. Texts are copied as the bytes they are; a test
 * holds the result against the driver's own encoder, which makes a string of each and takes several times as long.
 */
export class BsonWriter {
  bytes: Buffer = Buffer.allocUnsafeSlow(64 * 1024)
  length = 0

  reset(): void {
    this.length = 0
  }

  /** The written bytes; valid until the next write. */
  written(): Buffer {
    return this.bytes.subarray(0, this.length)
  }

  /** Starts a document; `end` takes what it gives. */
  begin(): number {
    this.#reserve(4)
    const start = this.length
    this.length += 4
    return start
  }

  /** Starts a document within one. */
  beginElement(name: Buffer): number {
    this.#head(BsonType.document, name, 0)
    return this.begin()
  }

  end(start: number): void {
    this.#reserve(1)
    this.bytes[this.length++] = 0
    this.bytes.writeInt32LE(this.length - start, start)
  }

  null(name: Buffer): void {
    this.#head(BsonType.null, name, 0)
  }

  /** A whole element, as it stands in another document. */
  raw(source: Buffer, start: number, end: number): void {
    this.#reserve(end - start)
    this.length += source.copy(this.bytes, this.length, start, end)
  }

  /** A string from its UTF-8 bytes. */
  string(name: Buffer, source: Buffer, start: number, end: number): void {
    const size = end - start
    this.#head(BsonType.string, name, size + 5)
    this.bytes.writeInt32LE(size + 1, this.length)
    this.length += 4
    this.#copy(source, start, end)
    this.bytes[this.length++] = 0
  }

  /** A value from the bytes of its canonical text. */
  value(type: ColumnType, name: Buffer, source: Buffer, start: number, end: number): void {
    if (type.name === 'string') this.string(name, source, start, end)
    else this.#typed(type, name, source.toString('utf8', start, end))
  }

  #typed(type: ColumnType, name: Buffer, text: string): void {
    switch (type.name) {
      case 'int64':
        this.#head(BsonType.int64, name, 8)
        this.length = this.bytes.writeBigInt64LE(BigInt(text), this.length)
        return
      case 'float64':
        this.#head(BsonType.double, name, 8)
        this.length = this.bytes.writeDoubleLE(Number(text), this.length)
        return
      case 'decimal':
        this.#head(BsonType.decimal, name, 16)
        this.bytes.set(Decimal128.fromString(shortDecimal(text)).bytes, this.length)
        this.length += 16
        return
      case 'boolean':
        this.#head(BsonType.boolean, name, 1)
        this.bytes[this.length++] = text === 'true' ? 1 : 0
        return
      case 'bytes':
        this.#binary(name, text)
        return
      case 'date':
        // Midnight in UTC, the form that MongoDB's own functions of dates take; exact from year 1 to 9999.
        this.#date(name, `${text}T00:00:00Z`)
        return
      case 'timestamp':
        if (isBsonDate(type)) this.#date(name, text.replace(' ', 'T'))
        else this.#ascii(name, paddedTimestamp(text, type.scale ?? 9))
        return
      default:
        this.#json(name, text)
    }
  }

  #binary(name: Buffer, text: string): void {
    const size = text.length / 2 - 1
    this.#head(BsonType.binary, name, size + 5)
    this.bytes.writeInt32LE(size, this.length)
    this.bytes[this.length + 4] = 0
    this.length += 5
    this.length += this.bytes.write(text.slice(2), this.length, 'hex')
  }

  #date(name: Buffer, text: string): void {
    this.#head(BsonType.date, name, 8)
    this.length = this.bytes.writeBigInt64LE(BigInt(Date.parse(text)), this.length)
  }

  #ascii(name: Buffer, text: string): void {
    const bytes = Buffer.from(text, 'latin1')
    this.string(name, bytes, 0, bytes.length)
  }

  /** The driver's encoder writes `{ '': value }`; what lies between its head and its end is put behind our name. */
  #json(name: Buffer, text: string): void {
    const made = serialize(new Map([['', jsonForBson(text)]]))
    const document = Buffer.from(made.buffer, made.byteOffset, made.length)
    this.#head(document[4]!, name, 0)
    this.raw(document, 6, document.length - 1)
  }

  /** An element's type and name, and room for `more` bytes after them. */
  #head(type: number, name: Buffer, more: number): void {
    this.#reserve(1 + name.length + more)
    this.bytes[this.length++] = type
    for (const byte of name) this.bytes[this.length++] = byte
  }

  #copy(source: Buffer, start: number, end: number): void {
    // A loop is faster than a call into native code where the text is short.
    if (end - start > 48) {
      this.length += source.copy(this.bytes, this.length, start, end)
      return
    }
    for (let i = start; i < end; i++) this.bytes[this.length++] = source[i]!
  }

  #reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + more))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }
}

/** The decimal with an exponent where its trailing zeros would take more digits than Decimal128 has. */
export function shortDecimal(text: string): string {
  if (text.length <= 34 || text.includes('.')) return text
  const digits = text.replace(/0+$/, '')
  return `${digits}E${String(text.length - digits.length)}`
}

/** A timestamp with all its digits: texts of one width sort by time. */
export function paddedTimestamp(text: string, digits: number): string {
  const body = text.slice(0, -1)
  return `${(body.length === 19 ? `${body}.` : body).padEnd(20 + digits, '0')}Z`
}
