import { MerganserError } from '../core/errors.ts'
import type { FastPath } from '../core/fast-path.ts'
import { located } from '../script/errors.ts'
import { LineReader, type Line } from '../script/line-reader.ts'
import { LOG_LIMITS } from '../script/limits.ts'
import { LineParser } from '../script/parser.ts'
import { Statement } from '../script/statement.ts'
import type { Origin } from './context.ts'
import { FastLines } from './fast-lines.ts'
import type { Session } from './session.ts'

export interface ScriptSource {
  /** For messages and remarks. */
  readonly file: string
  readonly chunks: AsyncIterable<Buffer> | Iterable<Buffer>
  /** The same bytes for who has a place for them: used instead of `chunks` where lines are executed where they lie. */
  readonly reader?: ScriptReader
}

export interface ScriptReader {
  /** Reads the next bytes, gives their number, 0 at the end. One call at a time. */
  read(into: Uint8Array): Promise<number>
  close(): Promise<void>
}

export interface RunOptions {
  /** Goes on after errors of the input, and counts them. */
  readonly keepGoing: boolean
  /** Ends the script after the statement that is being executed. */
  readonly signal?: AbortSignal
  /** Called between blocks. */
  readonly progress?: (progress: { readonly lines: number; readonly bytes: number }) => void
}

/** How an oplog begins. */
const OPLOG = Buffer.from('# merganser oplog ')
/** Lines between two looks at clock, logs and look-ups. */
const BLOCK = 256
/** Milliseconds after which other work is let in. */
const TURN = 8

/**
 * Executes a script, statement by statement, until its end or EXIT. What came before an error stands. Throws the first
 * error of the input (exit status 2) unless told to go on; an error of database or disk always. True where it ended
 * with EXIT.
 */
export async function runScript(session: Session, source: ScriptSource, options: RunOptions): Promise<boolean> {
  return await new ScriptRun(session, source, options).run()
}

class ScriptRun {
  readonly #session: Session
  readonly #source: ScriptSource
  readonly #options: RunOptions
  #reader: LineReader
  #parser: LineParser
  readonly #statement = new Statement()
  readonly #origin: Origin
  readonly #fast: FastLines | undefined
  #bytes = 0
  #turn: number

  constructor(session: Session, source: ScriptSource, options: RunOptions) {
    const { limits } = session.setup
    const { fast } = session.context.state
    this.#session = session
    this.#source = source
    this.#options = options
    this.#reader = new LineReader(limits.lineBytes)
    this.#parser = new LineParser(session.context.catalog, limits)
    this.#origin = { file: source.file }
    this.#fast = fast === undefined ? undefined : new FastLines(session.context, fast)
    this.#turn = session.context.wall.milliseconds()
  }

  async run(): Promise<boolean> {
    this.#session.engine.begin()
    if (this.#fast === undefined) return await this.#runChunks((chunk) => this.#take(chunk))
    const { fast } = this.#session.context.state
    const { reader } = this.#source
    if (reader !== undefined) return await this.#runReader(fast!, this.#fast, reader)
    return await this.#runChunks((chunk) => this.#takeCopied(this.#fast!, chunk))
  }

  async #runChunks(take: (chunk: Buffer) => Promise<boolean>): Promise<boolean> {
    for await (const chunk of this.#source.chunks) if (await take(chunk)) return true
    return await this.#end()
  }

  /** While the lines of one buffer are executed, the other one is read into. */
  async #runReader(fast: FastPath, lines: FastLines, reader: ScriptReader): Promise<boolean> {
    const read = (index: 0 | 1) => {
      const reading = reader.read(fast.input(index))
      // It is awaited later.
      reading.catch(() => undefined)
      return reading
    }
    let index: 0 | 1 = 0
    let reading: Promise<number> | undefined = read(index)
    try {
      for (;;) {
        const length: number = await reading
        reading = undefined
        if (length === 0) return await this.#end()
        const other: 0 | 1 = index === 0 ? 1 : 0
        if (lines.steady) reading = read(other)
        if (await this.#take(lines.chunk(index, length))) return true
        reading ??= read(other)
        index = other
      }
    } finally {
      // Nobody may use the buffers before.
      await reading?.catch(() => undefined)
      await reader.close()
    }
  }

  /** Takes a chunk to where its lines can be executed; it may not fit at once. */
  async #takeCopied(lines: FastLines, chunk: Buffer): Promise<boolean> {
    for (let from = 0; from < chunk.length;) {
      const part = lines.copied(chunk, from)
      from += part.length
      if (await this.#take(part)) return true
    }
    return false
  }

  async #take(chunk: Buffer): Promise<boolean> {
    if (this.#bytes === 0 && chunk.subarray(0, OPLOG.length).equals(OPLOG)) this.#expectOplog()
    this.#bytes += chunk.length
    this.#reader.push(chunk)
    return await this.#lines()
  }

  async #end(): Promise<boolean> {
    this.#reader.end()
    return await this.#lines()
  }

  /** Quoted control characters may make the lines of an oplog longer than those that it was written from. */
  #expectOplog(): void {
    this.#reader = new LineReader(LOG_LIMITS.lineBytes)
    this.#parser = new LineParser(this.#session.context.catalog, LOG_LIMITS)
  }

  /** Executes the lines that are there; true at EXIT or where the run was interrupted. */
  async #lines(): Promise<boolean> {
    const { engine } = this.#session
    const fast = this.#fast
    for (;;) {
      let lines = 0
      while (lines < BLOCK && fast?.full !== true) {
        const ran = fast?.run(this.#reader) ?? 0
        lines += ran
        if (ran > 0) continue
        const step = this.#step()
        if (step === 'exit') return true
        if (step === 'none') {
          await engine.pace()
          return this.#options.signal?.aborted ?? false
        }
        if (step !== 'done') await this.#finish(step)
        lines++
      }
      const wait = engine.pace()
      if (wait !== undefined) await wait
      if (fast?.full === true) await fast.room()
      if (this.#options.signal?.aborted === true) return true
      await this.#letOthersIn()
    }
  }

  /** Executes the next line: what is left to wait for, if it takes its time. */
  #step(): Promise<void> | 'done' | 'none' | 'exit' {
    const statement = this.#statement
    const origin = this.#origin
    try {
      const line = this.#line()
      if (line === undefined) return 'none'
      this.#parser.parse(line.buffer, line.start, line.end, statement)
      origin.line = line.number
      origin.buffer = line.buffer
      if (statement.op === 'exit') return 'exit'
      return this.#session.engine.execute(statement, origin) ?? 'done'
    } catch (error) {
      this.#problem(error)
      return 'done'
    }
  }

  /** The next line, in memory that only this thread sees. */
  #line(): Line | undefined {
    if (this.#fast === undefined) return this.#reader.next()
    this.#fast.follow(this.#reader)
    const line = this.#reader.next()
    return line === undefined ? undefined : this.#fast.own(line)
  }

  async #finish(step: Promise<void>): Promise<void> {
    try {
      await step
    } catch (error) {
      this.#problem(error)
    }
  }

  /** Counts an error of the input where the run goes on, else throws it with its place. */
  #problem(error: unknown): void {
    if (!(error instanceof MerganserError)) throw error
    located(error, this.#source.file, this.#reader.lines)
    if (!this.#options.keepGoing || error.exitStatus !== 2) throw error
    this.#session.context.counts.errors++
    this.#session.context.events.problem(error)
  }

  async #letOthersIn(): Promise<void> {
    const { wall } = this.#session.context
    if (wall.milliseconds() - this.#turn < TURN) return
    this.#options.progress?.({ lines: this.#reader.lines, bytes: this.#bytes })
    await this.#session.context.yield()
    this.#turn = wall.milliseconds()
  }
}
