import { isUtf8 } from 'node:buffer'
import type { ErrorCode } from '../core/errors.ts'
import { BLANK, CLASS, CR, FOLD, HASH, LF, NAME, NAME_START } from './characters.ts'
import { problemAt } from './errors.ts'

/** A part of the line, `end` exclusive. */
export interface Range {
  readonly start: number
  readonly end: number
}

/** A place in one line, moved forward token by token. A `#` outside quotes ends the line as its end does. */
export class Scanner {
  line: Buffer = Buffer.alloc(0)
  start = 0
  end = 0
  at = 0

  begin(line: Buffer, start: number, end: number): void {
    this.line = line
    this.start = start
    this.end = end
    this.at = start
  }

  blanks(): void {
    while (this.at < this.end && (CLASS[this.line[this.at]!]! & BLANK) !== 0) this.at++
  }

  /** The next byte after blanks, not taken; -1 at the end or before a comment. */
  peek(): number {
    this.blanks()
    if (this.at === this.end) return -1
    const byte = this.line[this.at]!
    return byte === HASH ? -1 : byte
  }

  /** Takes the next byte after blanks if it is this one. */
  take(byte: number): boolean {
    if (this.peek() !== byte) return false
    this.at++
    return true
  }

  /** Takes the next byte, which must be this one; gives its offset. */
  expect(byte: number, advice?: string): number {
    if (!this.take(byte)) this.unexpected(`"${String.fromCharCode(byte)}"`, advice)
    return this.at - 1
  }

  /** Takes a name after blanks, if there is one. */
  name(): Range | undefined {
    const first = this.peek()
    if (first === -1 || (CLASS[first]! & NAME_START) === 0) return undefined
    const start = this.at
    while (this.at < this.end && (CLASS[this.line[this.at]!]! & NAME) !== 0) this.at++
    return { start, end: this.at }
  }

  /** Whether the bytes are this word, given in lower case, in any case. */
  is(range: Range, word: string): boolean {
    if (range.end - range.start !== word.length) return false
    for (let i = 0; i < word.length; i++) {
      if (FOLD[this.line[range.start + i]!] !== word.charCodeAt(i)) return false
    }
    return true
  }

  text(range: Range): string {
    return this.line.toString('utf8', range.start, range.end)
  }

  fail(code: ErrorCode, at: number, message: string, advice?: string): never {
    throw problemAt(code, this.line, this, at, message, advice)
  }

  /** Fails with what was expected at the next byte after blanks, and what is there. */
  unexpected(expected: string, advice?: string): never {
    this.fail('SYNTAX', this.at, `expected ${expected}, found ${this.#found()}`, advice ?? this.#hint())
  }

  #found(): string {
    const byte = this.peek()
    if (this.at === this.end) return 'the end of the line'
    if (byte === -1) return 'a comment'
    if (byte === CR || byte === LF) return 'a line end'
    const character = String.fromCodePoint(
      this.line.toString('utf8', this.at, Math.min(this.at + 4, this.end)).codePointAt(0)!,
    )
    return byte < 32 || byte === 127 ? `byte 0x${byte.toString(16).padStart(2, '0')}` : JSON.stringify(character)
  }

  #hint(): string | undefined {
    return binaryHint(this.line, this.start, this.end)
  }

  /** Fails unless the whole line is UTF-8. */
  checkUtf8(): void {
    if (isUtf8(this.line.subarray(this.start, this.end))) return
    const at = firstInvalid(this.line, this.start, this.end)
    const byte = this.line[at]!.toString(16).padStart(2, '0')
    this.fail('SYNTAX', at, `byte 0x${byte} is no UTF-8 here`, this.#hint() ?? 'save the script in UTF-8')
  }
}

/** What to say of a line with bytes that no text has. */
export function binaryHint(line: Buffer, start: number, end: number): string | undefined {
  const binary = line.subarray(start, end).includes(0)
  return binary ? 'this looks like a binary file, not like a script' : undefined
}

/** The offset of the first byte that belongs to no UTF-8 character. */
function firstInvalid(line: Buffer, start: number, end: number): number {
  for (let at = start; at < end;) {
    const byte = line[at]!
    const length = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
    if (length > 1 && (at + length > end || !isUtf8(line.subarray(at, at + length)))) return at
    at += length
  }
  return start
}
