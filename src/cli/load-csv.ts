import { MerganserError } from '../core/errors.ts'

const QUOTE = 0x22
const LF = 0x0a
const CR = 0x0d

/** Longest record, in bytes: where a quote isn't closed, so much is looked at for its end. */
const MAX_RECORD = 16 * 1024 * 1024
/** Bytes of a line's beginning that are kept where it is longer than a record may be. */
const KEPT = 64 * 1024

/** One record of a CSV file. Valid until the next one is read. */
export class CsvRecord {
  /** Of its first byte, from 1. */
  line = 0
  /** Why it is no record; it then stands for the one physical line `raw`. */
  problem: string | undefined
  fields = 0
  bytes: Buffer = Buffer.alloc(0)
  /** The record's bytes without its line end. */
  start = 0
  end = 0
  readonly starts: number[] = []
  readonly ends: number[] = []
  /** Whether a field stands in quotes; 2 where quotes are doubled in it. */
  readonly quoted: number[] = []

  get raw(): Buffer {
    return this.bytes.subarray(this.start, this.end)
  }

  /** A field's text; undefined where its bytes are no UTF-8. */
  text(field: number): string | undefined {
    const text = this.bytes.toString('utf8', this.starts[field], this.ends[field])
    if (text.includes('\ufffd') && !this.#isExact(field, text)) return undefined
    return this.quoted[field] === 2 ? text.replaceAll('""', '"') : text
  }

  /** Whether U+FFFD stood in the file itself. */
  #isExact(field: number, text: string): boolean {
    return Buffer.from(text).equals(this.bytes.subarray(this.starts[field], this.ends[field]))
  }
}

/**
 * Reads CSV as RFC 4180 has it, block by block: quoted fields with doubled quotes and line ends in them, LF or CRLF,
 * with or without a byte order mark; blank lines are passed over. What isn't such a record spoils its own physical
 * line only: reading goes on with the next one.
 */
export class CsvReader {
  readonly record = new CsvRecord()
  readonly #delimiter: number
  readonly #most: number
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0
  #length = 0
  #line = 1
  #ended = false
  #begun = false
  /** Whether the record has fields in quotes, and so perhaps several lines. */
  #quotes = false
  /** Within a line that is too long: its rest is passed over. */
  #skipping = false

  /** @param delimiter one ASCII character */
  constructor(delimiter: string, most: number = MAX_RECORD) {
    this.#delimiter = delimiter.charCodeAt(0)
    this.#most = most
  }

  /** Adds a block, which stays the caller's. */
  push(block: Buffer): void {
    const left = this.#length - this.#at
    if (this.#at + left + block.length > this.#bytes.length || this.#at > 0) {
      const room = left + block.length
      const bytes = room > this.#bytes.length ? Buffer.allocUnsafeSlow(Math.max(room, left * 2)) : this.#bytes
      this.#bytes.copy(bytes, 0, this.#at, this.#length)
      this.#bytes = bytes
      this.#at = 0
      this.#length = left
    }
    block.copy(this.#bytes, this.#length)
    this.#length += block.length
  }

  /** There is no more to come. */
  end(): void {
    this.#ended = true
  }

  /** Reads the next record into `record`; false where more must be pushed first, or at the end. */
  next(): boolean {
    if (!this.#begun && !this.#begin()) return false
    while (this.#skipping || this.#at < this.#length) {
      if (this.#skipping && !this.#skip()) return false
      if (this.#at === this.#length) return false
      if (this.#blank()) continue
      return this.#read()
    }
    return false
  }

  /** Passes over a byte order mark; false where it needs more. Throws BAD_INPUT_FILE for UTF-16. */
  #begin(): boolean {
    if (this.#length < 3 && !this.#ended) return false
    this.#begun = true
    const [first, second, third] = this.#bytes.subarray(0, this.#length)
    if (first === 0xef && second === 0xbb && third === 0xbf) this.#at = 3
    if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
      throw new MerganserError('BAD_INPUT_FILE', 'the file is UTF-16', { advice: 'convert it to UTF-8' })
    }
    return true
  }

  #blank(): boolean {
    const cr = this.#bytes[this.#at] === CR ? 1 : 0
    if (this.#at + cr >= this.#length || this.#bytes[this.#at + cr] !== LF) return false
    this.#at += cr + 1
    this.#line++
    return true
  }

  #skip(): boolean {
    const end = this.#lineEnd(this.#at)
    this.#at = end === -1 ? this.#length : end + 1
    if (end === -1 && !this.#ended) return false
    this.#skipping = false
    this.#line++
    return true
  }

  #read(): boolean {
    const { record } = this
    record.bytes = this.#bytes
    record.start = this.#at
    record.line = this.#line
    record.fields = 0
    record.problem = undefined
    this.#quotes = false
    let at = this.#at
    for (;;) {
      const next = at < this.#length && this.#bytes[at] === QUOTE ? this.#quotedField(at) : this.#plainField(at)
      if (next === MORE) return this.#incomplete()
      if (next < 0) return this.#refuse(REASONS[next]!)
      at = next + 1
      if (next < this.#length && this.#bytes[next] === this.#delimiter) continue
      record.end = record.ends[record.fields - 1]! + (record.quoted[record.fields - 1]! > 0 ? 1 : 0)
      this.#advance(Math.min(at, this.#length))
      return true
    }
  }

  /** Reads a field without quotes: where what ends it is, or what is wrong. */
  #plainField(start: number): number {
    const bytes = this.#bytes
    const length = this.#length
    const delimiter = this.#delimiter
    for (let at = start; at < length; at++) {
      const byte = bytes[at]!
      if (byte === delimiter) return this.#field(start, at, 0, at)
      if (byte === LF) return this.#field(start, at > start && bytes[at - 1] === CR ? at - 1 : at, 0, at)
      if (byte === QUOTE) return STRAY
    }
    if (!this.#ended) return MORE
    return this.#field(start, length > start && bytes[length - 1] === CR ? length - 1 : length, 0, length)
  }

  #quotedField(start: number): number {
    let doubled = 1
    this.#quotes = true
    for (let at = start + 1; ;) {
      const quote = this.#bytes.indexOf(QUOTE, at)
      if (quote === -1 || quote >= this.#length) return this.#ended ? OPEN : MORE
      const after = quote + 1
      if (after === this.#length && !this.#ended) return MORE
      if (after < this.#length && this.#bytes[after] === QUOTE) {
        doubled = 2
        at = after + 1
        continue
      }
      const next = this.#endOfQuoted(after)
      return next < 0 ? next : this.#field(start + 1, quote, doubled, next)
    }
  }

  /** What follows a closing quote: the delimiter, a line end, or nothing. */
  #endOfQuoted(after: number): number {
    if (after === this.#length) return after
    const byte = this.#bytes[after]
    if (byte === this.#delimiter || byte === LF) return after
    if (byte !== CR) return AFTER
    if (after + 1 === this.#length) return this.#ended ? after + 1 : MORE
    return this.#bytes[after + 1] === LF ? after + 1 : AFTER
  }

  #field(start: number, end: number, quoted: number, next: number): number {
    const { record } = this
    const field = record.fields++
    record.starts[field] = start
    record.ends[field] = end
    record.quoted[field] = quoted
    return next
  }

  #incomplete(): boolean {
    if (this.#length - this.#at <= this.#most) return false
    return this.#refuse(`a record has at most ${String(this.#most)} bytes; is a quote not closed?`)
  }

  /** The first line of what couldn't be read is refused. */
  #refuse(problem: string): boolean {
    const { record } = this
    const end = this.#lineEnd(this.#at)
    if (end === -1 && !this.#ended && this.#length - this.#at <= this.#most) return false
    record.problem = problem
    record.fields = 0
    record.end = end === -1 ? this.#length : end
    if (record.end > record.start && this.#bytes[record.end - 1] === CR) record.end--
    if (end === -1) {
      record.end = Math.min(record.end, record.start + KEPT)
      this.#at = this.#length
      this.#skipping = !this.#ended
      if (this.#ended) this.#line++
    } else {
      this.#at = end + 1
      this.#line++
    }
    return true
  }

  #lineEnd(from: number): number {
    const end = this.#bytes.indexOf(LF, from)
    return end >= this.#length ? -1 : end
  }

  /** Goes on at `to`, counting lines. */
  #advance(to: number): void {
    let lines = 0
    if (this.#quotes) {
      for (let at = this.#lineEnd(this.#at); at !== -1 && at < to; at = this.#lineEnd(at + 1)) lines++
      if (to === this.#length && this.#ended && this.#bytes[to - 1] !== LF) lines++
    } else lines = 1
    this.#line += lines
    this.#at = to
  }
}

/** What a field can end with instead of the place of what follows it. */
const MORE = -1
const STRAY = -2
const OPEN = -3
const AFTER = -4
const REASONS: Readonly<Record<number, string>> = {
  [STRAY]: 'a quote inside a field that is not in quotes',
  [OPEN]: 'a quote is not closed',
  [AFTER]: 'text after a closing quote',
}
