import { HybridClock } from '../../src/core/clock.ts'
import { rowAt } from '../../src/core/batch.ts'
import { MerganserError } from '../../src/core/errors.ts'
import type { FastPath, FastResult, FastSettings, FastStop } from '../../src/core/fast-path.ts'
import { ModelState } from '../../src/core/model/model-state.ts'
import { exists } from '../../src/core/row.ts'
import type { ReplicaState } from '../../src/core/state.ts'
import type { Stamp } from '../../src/core/stamp.ts'
import { DEFAULT_TABLE } from '../../src/core/table.ts'
import type { KernelState } from '../../src/kernel/kernel-state.ts'
import type { KernelOptions } from '../../src/kernel/kernel.ts'
import { ByteBuffer } from '../../src/script/byte-buffer.ts'
import { Catalog } from '../../src/script/catalog.ts'
import { DEFAULT_LIMITS, type ScriptLimits } from '../../src/script/limits.ts'
import { LogLines } from '../../src/script/log-lines.ts'
import { LineParser } from '../../src/script/parser.ts'
import { Printer } from '../../src/script/printer.ts'
import { Statement } from '../../src/script/statement.ts'
import { EVERYTHING, PEOPLE, REPLICAS, ROOMS, table } from '../script/support.ts'
import { newKernel, type Build } from './subjects.ts'

/** Types that the fast path takes as values. */
export const MEASURES = table(
  'measures',
  { station: 'string', day: 'int64' },
  { i: 'int64', f: 'float64', d: 'decimal(10,3)', b: 'boolean', day: 'date', at: 'timestamp(3)', note: 'string' },
)
/** Decimals of all scales. */
const SCALES = table(
  'scales',
  { a: 'decimal(38,0)', b: 'decimal(38,38)', c: 'decimal(1,1)', d: 'decimal(19,9)' },
  { v: 'string' },
)
export const TABLES = [DEFAULT_TABLE, ROOMS, PEOPLE, MEASURES, EVERYTHING, SCALES]
export const CATALOG = new Catalog(REPLICAS, TABLES)

/** 2026-11-22 15:11:21, in nanoseconds. */
export const NOW = 1_795_360_281_000_000_000n

export interface PairOptions extends Build, KernelOptions {
  readonly keepsLines?: boolean
  readonly keepsResults?: boolean
  readonly logBytes?: number
  readonly limits?: ScriptLimits
  /** The first replica's, where it holds less than the others. */
  readonly keyBytes?: number
  readonly valueBytes?: number
  /** Whether the first replica takes SETs of the table. */
  readonly fits?: (table: number) => boolean
  /** Rows that may be added. */
  readonly rows?: number
}

export function settingsOf(options: PairOptions): FastSettings {
  const limits = options.limits ?? DEFAULT_LIMITS
  return {
    keepsLines: options.keepsLines ?? true,
    keepsResults: options.keepsResults ?? true,
    logBytes: options.logBytes ?? 24 * 1024 * 1024,
    limits,
    names: [...CATALOG.replicas, ...CATALOG.aliases.keys()].map((name) => ({ name, replica: CATALOG.replica(name)! })),
    replicas: REPLICAS.map((_, replica) => ({
      keyBytes: replica === 0 ? (options.keyBytes ?? limits.keyBytes) : limits.keyBytes,
      valueBytes: replica === 0 ? (options.valueBytes ?? limits.valueBytes) : limits.valueBytes,
      fits: TABLES.map((_table, number) => replica > 0 || (options.fits?.(number) ?? true)),
    })),
  }
}

/** One side: a state, a clock, and what was logged and shown so far. */
class Side<State extends ReplicaState> {
  readonly state: State
  readonly clock = new HybridClock(() => NOW)
  readonly logs = REPLICAS.map(() => new ByteBuffer())
  readonly results = new ByteBuffer()
  readonly #parser: LineParser
  readonly #lines = new LogLines(CATALOG)
  readonly #printer = new Printer(CATALOG)
  readonly #statement = new Statement()
  readonly #options: PairOptions

  constructor(state: State, options: PairOptions) {
    this.state = state
    this.#options = options
    this.#parser = new LineParser(CATALOG, options.limits ?? DEFAULT_LIMITS, false)
    for (const schema of TABLES) state.addTable(schema)
    for (const name of REPLICAS) state.addReplica(name)
    state.mark('open')
  }

  /** Executes a line by parser, state and printer; does nothing where it is refused, or no operation on a row. */
  line(line: Buffer): void {
    const statement = this.#statement
    if (line.length > (this.#options.limits ?? DEFAULT_LIMITS).lineBytes) return
    try {
      this.#parser.parse(line, 0, line.length, statement)
      if (statement.stamp !== undefined) this.clock.observe(statement.stamp.time)
    } catch (error) {
      if (!(error instanceof MerganserError) || error.code === 'BUG') throw error
      return
    }
    const { op } = statement
    if (op !== 'set' && op !== 'get' && op !== 'delete') return
    if (op !== 'get' && this.#refused(statement)) return
    const stamp = statement.stamp ?? { time: this.clock.next(), origin: REPLICAS[statement.replica]! }
    if (op === 'get') this.#read(statement, stamp)
    else this.#write(statement, stamp)
  }

  /** What the first replica's database can't hold. */
  #refused({ replica, table: number, input, op }: Statement): boolean {
    const { keyBytes, valueBytes, fits } = this.#options
    if (replica > 0) return false
    if (input.keyLength > (keyBytes ?? Infinity)) return true
    for (let i = 0; i < input.count; i++) {
      const text = input.cell(i)
      if (text !== null && Buffer.byteLength(text) > (valueBytes ?? Infinity)) return true
    }
    return op === 'set' && !(fits?.(number) ?? true)
  }

  #write(statement: Statement, stamp: Stamp): void {
    const { replica, table: number, input } = statement
    if (statement.op === 'set') this.state.set(replica, number, input, stamp)
    else this.state.remove(replica, number, input, stamp)
    if (this.#options.keepsLines ?? true) this.#lines.write(this.logs[replica]!, statement, NO_LINE, stamp)
  }

  #read(statement: Statement, stamp: Stamp): void {
    const { replica, table: number, input } = statement
    const { row } = this.state.get(replica, number, input)
    const shown = this.#printer.rowText(number, exists(row) ? row : undefined)
    if (this.#options.keepsLines ?? true) this.#lines.read(this.logs[replica]!, statement, NO_LINE, stamp, shown)
    if (this.#options.keepsResults ?? true) this.#lines.answer(this.results, statement, NO_LINE, shown)
  }
}

const NO_LINE = Buffer.alloc(0)

/** The model, which executes every line by the parser, and the kernel, which leaves it only what it doesn't know. */
export class Pair {
  readonly model: Side<ModelState>
  readonly kernel: Side<KernelState>
  readonly #options: PairOptions
  /** Lines that the kernel left to the parser; sums of what it told. */
  handedBack: string[] = []
  told = { lines: 0, sets: 0, deletes: 0, gets: 0, found: 0, records: REPLICAS.map(() => 0) }
  stops: FastStop[] = []

  constructor(options: PairOptions = {}) {
    this.#options = options
    this.model = new Side(new ModelState(), options)
    this.kernel = new Side(newKernel(options), options)
    this.kernel.state.fast.begin(settingsOf(options))
  }

  get fast(): FastPath {
    return this.kernel.state.fast
  }

  /** Takes what waits, in order. */
  take(): void {
    for (const [replica, log] of this.kernel.logs.entries()) {
      for (let part = this.fast.takeLog(replica); part !== undefined; part = this.fast.takeLog(replica)) {
        log.append(part.bytes, 0, part.bytes.length)
        part.release()
      }
    }
    for (let part = this.fast.takeResults(); part !== undefined; part = this.fast.takeResults()) {
      this.kernel.results.append(part.bytes, 0, part.bytes.length)
      part.release()
    }
  }

  /** One call of `run` over lines that are in the input. */
  once(from: number, end: number): FastResult {
    const result = this.fast.run(0, from, end, this.kernel.clock, this.#options.rows ?? 1e9)
    const { told } = this
    told.lines += result.lines
    told.sets += result.sets
    told.deletes += result.deletes
    told.gets += result.gets
    told.found += result.found
    result.records.forEach((records, replica) => (told.records[replica]! += records))
    this.stops.push(result.stop)
    return result
  }

  /** Executes a script on both sides; gives how many of its lines the kernel took. */
  run(script: Buffer): number {
    const before = this.told.lines
    for (const line of linesOf(script)) this.model.line(line)
    const size = this.fast.input(0).length
    for (let at = 0; at < script.length;) {
      const end = at + script.subarray(at, at + size).lastIndexOf(0x0a) + 1
      this.fast.input(0).set(script.subarray(at, end))
      this.#block(script.subarray(at, end))
      at = end
    }
    this.take()
    return this.told.lines - before
  }

  /** Executes a script in the kernel alone, as far as it goes: why it ended, and where. */
  kernelAlone(script: Buffer): { readonly stop: FastStop; readonly at: number } {
    const size = this.fast.input(0).length
    for (let at = 0; at < script.length;) {
      const end = at + script.subarray(at, at + size).lastIndexOf(0x0a) + 1
      this.fast.input(0).set(script.subarray(at, end))
      for (let from = 0; from < end - at;) {
        const { stop, at: next } = this.once(from, end - at)
        from = next
        this.take()
        if (stop !== 'end' && stop !== 'logFull' && stop !== 'resultsFull') return { stop, at: at + from }
      }
      at = end
    }
    return { stop: 'end', at: script.length }
  }

  #block(block: Buffer): void {
    for (let at = 0; at < block.length;) {
      const { stop, at: next } = this.once(at, block.length)
      at = next
      this.take()
      if (stop === 'memory' || stop === 'rows') return
      if (stop !== 'line') continue
      const end = block.indexOf(0x0a, at)
      const line = withoutReturn(block.subarray(at, end))
      this.handedBack.push(line.toString('latin1'))
      // As the engine does: what is written now comes behind what was taken.
      this.kernel.line(line)
      at = end + 1
    }
  }
}

/** The lines of a script without their line ends. */
export function linesOf(script: Buffer): Buffer[] {
  const lines: Buffer[] = []
  for (let at = 0; at < script.length;) {
    const end = script.indexOf(0x0a, at)
    lines.push(withoutReturn(script.subarray(at, end)))
    at = end + 1
  }
  return lines
}

const withoutReturn = (line: Buffer) => (line.at(-1) === 0x0d ? line.subarray(0, -1) : line)

const BOUNDS = { rows: 1000, bytes: 1_000_000 }

/** The rows that a replica changed, in an order of their own. */
function rowsOf(state: ReplicaState, replica: number): string[] {
  const rows: string[] = []
  for (let from = 0, done = false; !done;) {
    const result = state.changes(replica, from, BOUNDS)
    for (const { table: number, batch } of result.changed) {
      for (let i = 0; i < batch.rows; i++) rows.push(JSON.stringify([number, rowAt(batch, i)]))
    }
    ;({ upTo: from, done } = result)
  }
  return rows.sort()
}

/** What a state tells of all that a replica holds, which needs no memory. */
export function sumsOf(state: ReplicaState, replica: number): unknown {
  return {
    records: state.records(replica),
    vector: [...state.vector(replica)].sort(),
    digests: TABLES.map((_table, number) => state.digest(replica, number)),
  }
}

/** All that a state holds. */
export function contentsOf(state: ReplicaState): unknown {
  return REPLICAS.map((_, replica) => ({ sums: sumsOf(state, replica), rows: rowsOf(state, replica) }))
}

/** A state with all tables, which the lines of any log fit. */
export function withTables<State extends ReplicaState>(state: State): State {
  for (const schema of TABLES) state.addTable(schema)
  for (const name of REPLICAS) state.addReplica(name)
  state.mark('open')
  return state
}
