import { assert, type MerganserError } from '../core/errors.ts'
import { CR, LF } from './characters.ts'
import { binaryHint } from './scanner.ts'
import { problemAt } from './errors.ts'
import { DEFAULT_LIMITS } from './limits.ts'

/** A line without its line end; reused, and its bytes valid only until the next `next` or `push`. */
export interface Line {
  readonly buffer: Buffer
  readonly start: number
  /** Exclusive. */
  readonly end: number
  /** From 1. */
  readonly number: number
}

/** Room for a byte order mark and a carriage return beside the longest line. */
const SLACK = 4
const MARK = [0xef, 0xbb, 0xbf] as const

/**
 * Splits a stream of bytes into lines. A line that lies within a chunk isn't copied; one that spans chunks is gathered
 * in a buffer of its own, which never grows beyond the limit. Use: `push` a chunk, take lines with `next` until it
 * gives undefined, push the next one; after the last chunk `end`, and take lines again.
 */
export class LineReader {
  readonly #limit: number
  readonly #line: { buffer: Buffer; start: number; end: number; number: number }
  #chunk: Buffer = Buffer.alloc(0)
  #at = 0
  /** Behind the last line end of the chunk; -1 where nobody asked. */
  #whole = 0
  #carry: Buffer = Buffer.allocUnsafeSlow(1024)
  #carried = 0
  /** Lines begun so far. */
  #number = 0
  /** Inside a line whose error has been thrown. */
  #skipping = false
  #ended = false

  /** @param limit most bytes of a line, without its line end */
  constructor(limit = DEFAULT_LIMITS.lineBytes) {
    this.#limit = limit
    this.#line = { buffer: this.#chunk, start: 0, end: 0, number: 0 }
  }

  /** Lines given or refused so far. */
  get lines(): number {
    return this.#number
  }

  /** The chunk must not change as long as lines are taken from it. */
  push(chunk: Buffer): void {
    assert(this.#at === this.#chunk.length && !this.#ended, 'a chunk is pushed when all lines before were taken')
    this.#chunk = chunk
    this.#at = 0
    this.#whole = -1
  }

  /** The bytes of the chunk are found elsewhere now. */
  moved(chunk: Buffer): void {
    this.#chunk = chunk
  }

  /** Where the next line begins, if all of it is in the chunk; else -1. */
  blockStart(): number {
    if (this.#carried > 0 || this.#skipping) return -1
    return this.#at < this.blockEnd() ? this.#at : -1
  }

  /** Behind the last line end of the chunk. */
  blockEnd(): number {
    if (this.#whole < 0) this.#whole = this.#chunk.lastIndexOf(LF) + 1
    return this.#whole
  }

  /** Lines of the chunk that someone else took: the next one begins at `at`. */
  passed(at: number, lines: number): void {
    this.#at = at
    this.#number += lines
  }

  /** No chunk follows: the last line may lack its line end. */
  end(): void {
    this.#ended = true
  }

  /**
   * The next line; undefined where another chunk is needed or, after `end`, nothing is left. Throws LIMIT with the
   * line's number for a line that is too long; call again to go on after it.
   */
  next(): Line | undefined {
    for (;;) {
      const chunk = this.#chunk
      const from = this.#at
      let at = from
      while (at < chunk.length && chunk[at] !== LF) at++
      if (at === chunk.length) {
        this.#at = at
        this.#keep(chunk, from, at)
        return this.#ended ? this.#last() : undefined
      }
      this.#at = at + 1
      if (this.#skipping) {
        this.#skipping = false
        continue
      }
      if (this.#carried === 0) return this.#give(chunk, from, at)
      this.#keep(chunk, from, at)
      return this.#giveCarried()
    }
  }

  #last(): Line | undefined {
    if (this.#carried > 0) return this.#giveCarried()
    this.#skipping = false
    return undefined
  }

  #giveCarried(): Line {
    const length = this.#carried
    this.#carried = 0
    return this.#give(this.#carry, 0, length)
  }

  #give(buffer: Buffer, start: number, end: number): Line {
    const line = this.#line
    line.number = ++this.#number
    line.buffer = buffer
    line.start = start
    line.end = end > start && buffer[end - 1] === CR ? end - 1 : end
    if (line.number === 1 && MARK.every((byte, i) => start + i < line.end && buffer[start + i] === byte))
      line.start += MARK.length
    if (line.end - line.start > this.#limit) throw this.#tooLong(buffer, line.start, line.end)
    return line
  }

  /** Keeps the beginning of a line for the next chunk; throws where it is too long already, and skips the rest of it. */
  #keep(chunk: Buffer, start: number, end: number): void {
    if (this.#skipping || start === end) return
    const length = this.#carried + end - start
    if (length > this.#limit + SLACK) {
      this.#number++
      this.#skipping = true
      const head = Buffer.concat([
        this.#carry.subarray(0, this.#carried),
        chunk.subarray(start, Math.min(end, start + 256)),
      ])
      this.#carried = 0
      // The line end of this line, if it has come, is still to be seen.
      this.#at = end
      throw this.#tooLong(head, 0, head.length)
    }
    if (length > this.#carry.length) {
      const carry = Buffer.allocUnsafeSlow(Math.max(length, Math.min(this.#carry.length * 4, this.#limit + SLACK)))
      this.#carry.copy(carry, 0, 0, this.#carried)
      this.#carry = carry
    }
    chunk.copy(this.#carry, this.#carried, start, end)
    this.#carried = length
  }

  #tooLong(buffer: Buffer, start: number, end: number): MerganserError {
    const advice = binaryHint(buffer, start, end) ?? 'raise limits.lineBytes, or shorten the line'
    const range = { start, end }
    const error = problemAt(
      'LIMIT',
      buffer,
      range,
      start,
      `this line has more than ${String(this.#limit)} bytes`,
      advice,
    )
    error.place.line = this.#number
    return error
  }
}
