import { isUtf8 } from 'node:buffer'
import { MerganserError } from '../core/errors.ts'
import type { SourceRecord } from './load-record.ts'

const LF = 0x0a
const CR = 0x0d

/** Longest line, in bytes. */
const MAX_LINE = 16 * 1024 * 1024
/** Bytes of a line's beginning that are kept where it is longer. */
const KEPT = 64 * 1024

/** One line of a file of JSON lines. Valid until the next one is read. */
export class JsonRecord implements SourceRecord {
  line = 0
  problem: string | undefined
  raw: Buffer = Buffer.alloc(0)
  /** Its members in their order: names, and their values as they are written. */
  readonly names: string[] = []
  readonly values: string[] = []
}

/** Reads JSON lines block by block: LF or CRLF, with or without a byte order mark; blank lines are passed over. */
export class JsonLineReader {
  readonly record = new JsonRecord()
  readonly #most: number
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0
  /** Up to here there is no line end. */
  #looked = 0
  #line = 0
  #ended = false
  #begun = false
  /** Within a line that is too long: its rest is passed over. */
  #skipping = false

  constructor(most: number = MAX_LINE) {
    this.#most = most
  }

  push(block: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), block])
    this.#looked -= this.#at
    this.#at = 0
  }

  end(): void {
    this.#ended = true
  }

  /** Reads the next line into `record`; false where more must be pushed first, or at the end. */
  next(): boolean {
    if (!this.#begun && !this.#begin()) return false
    for (;;) {
      const end = this.#bytes.indexOf(LF, Math.max(this.#at, this.#looked))
      if (end === -1 && !(this.#ended && this.#at < this.#bytes.length)) return this.#incomplete()
      const line = this.#bytes.subarray(this.#at, end === -1 ? this.#bytes.length : end)
      this.#at = this.#looked = end === -1 ? this.#bytes.length : end + 1
      this.#line++
      if (this.#skipping) this.#skipping = false
      else if (this.#read(line)) return true
    }
  }

  /** Passes over a byte order mark; false where it needs more. Throws BAD_INPUT_FILE for UTF-16. */
  #begin(): boolean {
    if (this.#bytes.length < 3 && !this.#ended) return false
    this.#begun = true
    const [first, second, third] = this.#bytes
    if (first === 0xef && second === 0xbb && third === 0xbf) this.#at = 3
    if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
      throw new MerganserError('BAD_INPUT_FILE', 'the file is UTF-16', { advice: 'convert it to UTF-8' })
    }
    return true
  }

  /** Waits for the end of a line, unless it is too long: then it is a record with a problem. */
  #incomplete(): boolean {
    this.#looked = this.#bytes.length
    if (this.#skipping) {
      this.#at = this.#looked
      return false
    }
    if (this.#bytes.length - this.#at <= this.#most) return false
    this.#refuse(this.#bytes.subarray(this.#at), `a line has at most ${String(this.#most)} bytes`)
    this.record.line = this.#line + 1
    this.#at = this.#looked
    this.#skipping = true
    return true
  }

  #refuse(raw: Buffer, problem: string): void {
    this.record.raw = raw.subarray(0, KEPT)
    this.record.problem = problem
    this.record.names.length = this.record.values.length = 0
  }

  /** Reads a line; false where it is blank. */
  #read(whole: Buffer): boolean {
    const line = whole.at(-1) === CR ? whole.subarray(0, -1) : whole
    const { record } = this
    record.line = this.#line
    if (line.length > this.#most) {
      this.#refuse(line, `a line has at most ${String(this.#most)} bytes`)
      return true
    }
    record.raw = line
    record.problem = undefined
    record.names.length = record.values.length = 0
    if (!isUtf8(line)) {
      record.problem = 'the line is no text in UTF-8'
      return true
    }
    const text = line.toString('utf8')
    if (text.trim() === '') return false
    record.problem = readMembers(text, record.names, record.values)
    return true
  }
}

/** Splits an object into its members, values as they are written; gives what is wrong with it. */
function readMembers(text: string, names: string[], values: string[]): string | undefined {
  try {
    // Whether it is JSON at all: what follows needn't look again.
    JSON.parse(text)
  } catch {
    return 'the line is not JSON'
  }
  let at = blanks(text, 0)
  if (text[at] !== '{') return 'the line is no object'
  at = blanks(text, at + 1)
  while (text[at] !== '}') {
    if (text[at] === ',') at = blanks(text, at + 1)
    const nameEnd = stringEnd(text, at)
    names.push(JSON.parse(text.slice(at, nameEnd)) as string)
    const start = blanks(text, blanks(text, nameEnd) + 1)
    const end = valueEnd(text, start)
    values.push(text.slice(start, end))
    at = blanks(text, end)
  }
  return undefined
}

function blanks(text: string, from: number): number {
  let at = from
  while (text[at] === ' ' || text[at] === '\t' || text[at] === '\r') at++
  return at
}

/** Where the string that begins at `from` ends, behind its quote. */
function stringEnd(text: string, from: number): number {
  for (let at = from + 1; ; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
  }
}

/** Where the value that begins at `from` ends. */
function valueEnd(text: string, from: number): number {
  let depth = 0
  for (let at = from; ;) {
    const character = text[at]!
    if (character === '"') {
      at = stringEnd(text, at)
      if (depth === 0) return at
      continue
    }
    if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') {
      if (depth === 0) return at
      if (--depth === 0) return at + 1
    } else if (depth === 0 && (character === ',' || character === ' ' || character === '\t' || character === '\r')) {
      return at
    }
    at++
  }
}
