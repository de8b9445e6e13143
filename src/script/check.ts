import { MerganserError } from '../core/errors.ts'
import type { Catalog } from './catalog.ts'
import { located } from './errors.ts'
import { LineReader } from './line-reader.ts'
import { DEFAULT_LIMITS, type ScriptLimits } from './limits.ts'
import { LineParser } from './parser.ts'
import { Statement } from './statement.ts'

export interface CheckOptions {
  /** Named in the problems. */
  readonly file?: string
  readonly limits?: ScriptLimits
  /** Problems kept at most; the others are only counted. 1,000 by default. */
  readonly most?: number
}

export interface CheckResult {
  readonly lines: number
  /** Lines with a statement that parses. */
  readonly statements: number
  /** The first problems, in the order of the lines. */
  readonly problems: readonly MerganserError[]
  /** All problems. */
  readonly found: number
}

/** Checks a script chunk by chunk and collects what is wrong with it; nothing is executed. */
export class ScriptChecker {
  readonly #reader: LineReader
  readonly #parser: LineParser
  readonly #statement = new Statement()
  readonly #options: CheckOptions
  readonly #problems: MerganserError[] = []
  #statements = 0
  #found = 0

  constructor(catalog: Catalog, options: CheckOptions = {}) {
    const limits = options.limits ?? DEFAULT_LIMITS
    this.#options = options
    this.#reader = new LineReader(limits.lineBytes)
    this.#parser = new LineParser(catalog, limits)
  }

  push(chunk: Buffer): void {
    this.#reader.push(chunk)
    this.#drain()
  }

  /** After the last chunk. */
  end(): CheckResult {
    this.#reader.end()
    this.#drain()
    return { lines: this.#reader.lines, statements: this.#statements, problems: this.#problems, found: this.#found }
  }

  #drain(): void {
    while (this.#line());
  }

  /** Checks the next line; false where there is none yet. */
  #line(): boolean {
    try {
      const line = this.#reader.next()
      if (line === undefined) return false
      this.#parser.parse(line.buffer, line.start, line.end, this.#statement)
      if (this.#statement.op !== 'none') this.#statements++
    } catch (error) {
      if (!(error instanceof MerganserError) || error.code === 'BUG') throw error
      this.#found++
      const most = this.#options.most ?? 1000
      if (this.#problems.length < most) this.#problems.push(located(error, this.#options.file, this.#reader.lines))
    }
    return true
  }
}

/** Checks a whole script. */
export function checkScript(chunks: Iterable<Buffer>, catalog: Catalog, options: CheckOptions = {}): CheckResult {
  const checker = new ScriptChecker(catalog, options)
  for (const chunk of chunks) checker.push(chunk)
  return checker.end()
}
