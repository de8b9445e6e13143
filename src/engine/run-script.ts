import { MerganserError } from '../core/errors.ts'
import { located } from '../script/errors.ts'
import { LineReader } from '../script/line-reader.ts'
import { LOG_LIMITS } from '../script/limits.ts'
import { LineParser } from '../script/parser.ts'
import { Statement } from '../script/statement.ts'
import type { Origin } from './context.ts'
import type { Session } from './session.ts'

export interface ScriptSource {
  /** For messages and remarks. */
  readonly file: string
  readonly chunks: AsyncIterable<Buffer> | Iterable<Buffer>
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
  #bytes = 0
  #turn: number

  constructor(session: Session, source: ScriptSource, options: RunOptions) {
    const { limits } = session.setup
    this.#session = session
    this.#source = source
    this.#options = options
    this.#reader = new LineReader(limits.lineBytes)
    this.#parser = new LineParser(session.context.catalog, limits)
    this.#origin = { file: source.file }
    this.#turn = session.context.wall.milliseconds()
  }

  async run(): Promise<boolean> {
    const { engine } = this.#session
    engine.begin()
    for await (const chunk of this.#source.chunks) {
      if (this.#bytes === 0 && chunk.subarray(0, OPLOG.length).equals(OPLOG)) this.#expectOplog()
      this.#bytes += chunk.length
      this.#reader.push(chunk)
      if (await this.#lines()) return true
    }
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
    for (;;) {
      for (let i = 0; i < BLOCK; i++) {
        const step = this.#step()
        if (step === 'exit') return true
        if (step === 'none') {
          await engine.pace()
          return this.#options.signal?.aborted ?? false
        }
        if (step !== 'done') await this.#finish(step)
      }
      const wait = engine.pace()
      if (wait !== undefined) await wait
      if (this.#options.signal?.aborted === true) return true
      await this.#letOthersIn()
    }
  }

  /** Executes the next line: what is left to wait for, if it takes its time. */
  #step(): Promise<void> | 'done' | 'none' | 'exit' {
    const statement = this.#statement
    const origin = this.#origin
    try {
      const line = this.#reader.next()
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
