import { fullMemory } from '../core/errors.ts'
import type { FastPath } from '../core/fast-path.ts'
import type { Line, LineReader } from '../script/line-reader.ts'
import type { EngineContext } from './context.ts'
import { tooManyRows } from './pace.ts'

/** Lines that are left to the parser at once where the state knew none for a while. */
const MOST_LEFT = 64

/**
 * A script's lines on their way through the state's fast path: chunks lie in its buffers, whole lines are executed
 * there, and those that it doesn't know go to the parser.
 */
export class FastLines {
  readonly #context: EngineContext
  readonly #fast: FastPath
  #index: 0 | 1 = 0
  #chunk: Buffer = Buffer.alloc(0)
  #length = 0
  /** Lines that go to the parser before the state is asked again; how many it was the last time. */
  #left = 0
  #leaving = 0
  #full = false
  /** A line that goes to the parser. */
  #copy: Buffer = Buffer.allocUnsafeSlow(4096)
  readonly #own = { buffer: this.#copy, start: 0, end: 0, number: 0 }

  constructor(context: EngineContext, fast: FastPath) {
    this.#context = context
    this.#fast = fast
  }

  /** Whether a buffer stays where it is while the state grows, so that it may be read into meanwhile. */
  get steady(): boolean {
    return !(this.#fast.input(0).buffer instanceof ArrayBuffer)
  }

  /** Whether logs or results must be taken before it goes on: `room`, after they were. */
  get full(): boolean {
    return this.#full
  }

  /** What was read into a buffer. */
  chunk(index: 0 | 1, length: number): Buffer {
    const { buffer, byteOffset } = this.#fast.input(index)
    this.#index = index
    this.#length = length
    return (this.#chunk = Buffer.from(buffer, byteOffset, length))
  }

  /** As much of a chunk from `from` as a buffer holds, copied into it. */
  copied(chunk: Buffer, from: number): Buffer {
    const input = this.#fast.input(0)
    const length = Math.min(input.length, chunk.length - from)
    input.set(chunk.subarray(from, from + length))
    return this.chunk(0, length)
  }

  /** The memory may have moved since the last line. */
  follow(reader: LineReader): void {
    const { buffer, byteOffset } = this.#fast.input(this.#index)
    if (buffer === this.#chunk.buffer) return
    this.#chunk = Buffer.from(buffer, byteOffset, this.#length)
    reader.moved(this.#chunk)
  }

  /**
   * Executes lines until one is for the parser, and gives their number: 0 where the next one is. Throws MEMORY_LIMIT;
   * what came before is kept.
   */
  run(reader: LineReader): number {
    if (this.#left > 0) {
      this.#left--
      return 0
    }
    this.follow(reader)
    const start = reader.blockStart()
    if (start < 0) return 0
    const { clock, counts, limits, sequencer, state } = this.#context
    const rows = Math.max(0, limits.memoryRows - state.rows())
    const result = this.#fast.run(this.#index, start, reader.blockEnd(), clock, rows)
    const { at, lines, stop } = result
    reader.passed(at, lines)
    counts.statements.set += result.sets
    counts.statements.delete += result.deletes
    counts.statements.get += result.gets
    counts.found += result.found
    counts.twins += result.twins
    sequencer.ran(result)
    if (stop === 'rows') throw tooManyRows(this.#context)
    if (stop === 'memory') throw fullMemory()
    this.#full = stop === 'logFull' || stop === 'resultsFull'
    if (stop === 'line') this.#leave(lines)
    return lines
  }

  /** Waits until what was taken has made room. */
  async room(): Promise<void> {
    this.#full = false
    await this.#context.log.progress()
  }

  /** A line in memory of its own, until the next one: decoders refuse memory that others see. */
  own(line: Line): Line {
    const { buffer, start, end } = line
    if (buffer.buffer !== this.#chunk.buffer) return line
    const length = end - start
    if (length > this.#copy.length) this.#copy = Buffer.allocUnsafeSlow(length * 2)
    buffer.copy(this.#copy, 0, start, end)
    const own = this.#own
    own.buffer = this.#copy
    own.end = length
    own.number = line.number
    return own
  }

  /** The next line goes to the parser; more of them where the state knew none since the last one. */
  #leave(lines: number): void {
    this.#leaving = lines === 0 ? Math.min(Math.max(2, this.#leaving * 2), MOST_LEFT) : 1
    // The first of them is the one that this run stopped at, unless the caller comes back for it.
    this.#left = lines === 0 ? this.#leaving - 1 : 1
  }
}
