import type { TextColumn } from '../../src/core/batch.ts'
import type { HybridClock } from '../../src/core/clock.ts'
import { MerganserError } from '../../src/core/errors.ts'
import type { FastBytes, FastPath, FastResult, FastSettings, FastStop } from '../../src/core/fast-path.ts'
import { ModelState, type ModelLimits } from '../../src/core/model/model-state.ts'
import { exists } from '../../src/core/row.ts'
import type {
  Bounds,
  ChangeResult,
  MergeResult,
  ReplicaId,
  TableId,
  TableRows,
  UndoResult,
} from '../../src/core/state.ts'
import type { Stamp } from '../../src/core/stamp.ts'
import type { TableSchema } from '../../src/core/table.ts'
import { ByteBuffer } from '../../src/script/byte-buffer.ts'
import { Catalog } from '../../src/script/catalog.ts'
import { LOG_LIMITS } from '../../src/script/limits.ts'
import { LogLines } from '../../src/script/log-lines.ts'
import { LineParser } from '../../src/script/parser.ts'
import { Printer } from '../../src/script/printer.ts'
import { Statement } from '../../src/script/statement.ts'

const LF = 0x0a
const CR = 0x0d
const REMARK = 0x23

export interface FastModelOptions {
  /** Bytes of an input buffer; 64 KiB by default. */
  readonly input?: number
  /** Whether a line is one that the fast path knows; all by default. */
  readonly knows?: (line: string) => boolean
  /** Log lines, and results, that may be out or waiting; many by default. */
  readonly logBytes?: number
  readonly resultBytes?: number
  /** Memory that isn't shared: the buffers move with every call, and views of the old ones see nothing any more. */
  readonly moves?: boolean
  /** Statements after which memory is full. */
  readonly memory?: number
}

/** What was lent and isn't back. Bytes that came back are overwritten at once. */
export class Lent {
  out = 0
  bytes = 0
  /** Calls of `run` and `restore`. */
  runs = 0

  lend(view: Buffer): FastBytes {
    const bytes = new Uint8Array(new SharedArrayBuffer(view.length))
    bytes.set(view)
    this.bytes += bytes.length
    const release = this.#loan(() => {
      this.bytes -= bytes.length
      bytes.fill(0x21)
    })
    return { bytes, release }
  }

  /** Rows in memory that others see, until they are back. */
  rows(rows: readonly TableRows[]): TableRows[] {
    return rows.map(({ table, batch }) => {
      const memory: Uint8Array[] = []
      const share = ({ bytes, ends, nulls }: TextColumn): TextColumn => {
        const all = new Uint8Array(new SharedArrayBuffer(ends.byteLength + bytes.length + (nulls?.length ?? 0)))
        memory.push(all)
        const own = {
          ends: new Uint32Array(all.buffer, 0, ends.length),
          bytes: all.subarray(ends.byteLength, ends.byteLength + bytes.length),
        }
        own.ends.set(ends)
        own.bytes.set(bytes)
        if (nulls === undefined) return own
        const shared = all.subarray(ends.byteLength + bytes.length)
        shared.set(nulls)
        return { ...own, nulls: shared }
      }
      const release = this.#loan(() => {
        for (const all of memory) all.fill(0xff)
      })
      const shared = {
        rows: batch.rows,
        keys: batch.keys.map(share),
        values: batch.values.map(share),
        stamps: batch.stamps.map(share),
        deleted: share(batch.deleted),
      }
      return { table, batch: { ...shared, release } }
    })
  }

  #loan(end: () => void): () => void {
    this.out++
    let back = false
    return () => {
      if (back) throw new Error('what was lent was given back twice')
      back = true
      this.out--
      end()
    }
  }
}

/** The model with a fast path over it: what the engine may meet in any implementation, in every corner. */
export class FastModel extends ModelState {
  readonly #tables: TableSchema[] = []
  readonly #replicas: string[] = []
  readonly #lent: Lent
  readonly fast: ModelFast

  constructor(limits: ModelLimits, options: FastModelOptions, lent: Lent) {
    super(limits)
    this.#lent = lent
    this.fast = new ModelFast(this, { tables: this.#tables, replicas: this.#replicas }, options, lent)
  }

  override addTable(schema: TableSchema): TableId {
    this.#tables.push(schema)
    return super.addTable(schema)
  }

  override addReplica(name: string): ReplicaId {
    this.#replicas.push(name)
    return super.addReplica(name)
  }

  override merge(
    into: ReplicaId,
    from: ReplicaId,
    position: number,
    bounds: Bounds,
    list: number,
    remarks = 0,
  ): MergeResult {
    const result = super.merge(into, from, position, bounds, Math.max(list, remarks))
    if (!this.fast.keepsLines) return { ...result, took: this.#lent.rows(result.took) }
    this.fast.took(into, result)
    return { ...result, took: [], logged: true }
  }

  override changes(replica: ReplicaId, from: number, bounds: Bounds): ChangeResult {
    const result = super.changes(replica, from, bounds)
    return { ...result, changed: this.#lent.rows(result.changed) }
  }

  override undo(replica: ReplicaId | undefined, next: (replica: ReplicaId) => Stamp): UndoResult {
    return this.#lend(super.undo(replica, next))
  }

  override rollback(next: (replica: ReplicaId) => Stamp): UndoResult {
    return this.#lend(super.rollback(next))
  }

  #lend(result: UndoResult): UndoResult {
    return { ...result, writes: result.writes.map((write) => ({ ...write, rows: this.#lent.rows(write.rows) })) }
  }
}

type Result = FastResult & { greatest: bigint }

class ModelFast implements FastPath {
  readonly #state: ModelState
  readonly #names: { readonly tables: readonly TableSchema[]; readonly replicas: readonly string[] }
  readonly #options: FastModelOptions
  readonly #lent: Lent
  readonly #statement = new Statement()
  readonly #result: Result
  readonly #lines: ByteBuffer[] = []
  readonly #results = new ByteBuffer()
  #inputs: [Uint8Array, Uint8Array]
  #settings: FastSettings | undefined
  #catalog: Catalog | undefined
  #executed = 0

  constructor(
    state: ModelState,
    names: { readonly tables: readonly TableSchema[]; readonly replicas: readonly string[] },
    options: FastModelOptions,
    lent: Lent,
  ) {
    this.#state = state
    this.#names = names
    this.#options = options
    this.#lent = lent
    this.#inputs = [this.#memory(), this.#memory()]
    const none = { stop: 'end' as const, at: 0, lines: 0, sets: 0, deletes: 0, gets: 0, found: 0, twins: 0 }
    this.#result = { ...none, records: [], greatest: 0n }
  }

  #memory(): Uint8Array {
    const { input = 64 * 1024, moves } = this.#options
    return new Uint8Array(moves === true ? new ArrayBuffer(input + 8) : new SharedArrayBuffer(input + 8), 8, input)
  }

  /** Memory grew: all views are void. */
  #move(): void {
    if (this.#options.moves !== true) return
    this.#inputs = this.#inputs.map((old) => {
      const grown = this.#memory()
      grown.set(old)
      structuredClone(old.buffer, { transfer: [old.buffer as ArrayBuffer] })
      return grown
    }) as [Uint8Array, Uint8Array]
  }

  get keepsLines(): boolean {
    return this.#settings!.keepsLines
  }

  begin(settings: FastSettings): void {
    this.#settings = settings
    const { tables, replicas } = this.#names
    const aliases = settings.names.filter(({ name }) => !replicas.includes(name))
    this.#catalog = new Catalog(
      replicas,
      tables,
      Object.fromEntries(aliases.map(({ name, replica }) => [name, replicas[replica]!])),
    )
    this.#lines.push(...replicas.map(() => new ByteBuffer()))
  }

  input(index: 0 | 1): Uint8Array {
    return this.#inputs[index]
  }

  run(index: 0 | 1, start: number, end: number, clock: HybridClock, rows: number): FastResult {
    const before = this.#state.rows()
    const parser = new LineParser(this.#catalog!, this.#settings!.limits)
    return this.#walk(index, start, end, (line, result) => {
      if (this.#state.rows() - before >= rows) return 'rows'
      return this.#execute(line, parser, clock, result)
    })
  }

  restore(
    index: 0 | 1,
    start: number,
    end: number,
    replica: ReplicaId,
    first: number,
    upTo: number,
    count: boolean,
  ): Result {
    const parser = new LineParser(this.#catalog!, LOG_LIMITS)
    let record = first
    return this.#walk(index, start, end, (line, result) => {
      if (line[0] === REMARK) return undefined
      if (record > upTo) return 'end'
      const statement = this.#parsed(line, parser)
      if (statement?.stamp === undefined) return 'line'
      const { op, table, input, stamp } = statement
      if (count) this.#state.startAt(replica, record)
      if (op !== 'get') this.#state.restore(replica, table, input, stamp, op === 'delete')
      if (stamp.time > result.greatest) result.greatest = stamp.time
      result.records[replica]!++
      record++
      return undefined
    })
  }

  logged(replica: ReplicaId): number {
    return this.#lines[replica]!.length
  }

  /** Half of the lines at a time, so that there may be more than one part. */
  takeLog(replica: ReplicaId): FastBytes | undefined {
    return this.#take(this.#lines[replica]!)
  }

  takeResults(): FastBytes | undefined {
    return this.#take(this.#results)
  }

  #take(lines: ByteBuffer): FastBytes | undefined {
    if (lines.length === 0) return undefined
    const all = Buffer.from(lines.view())
    const half = all.indexOf(LF, all.length >> 1) + 1
    lines.clear()
    lines.append(all, half, all.length)
    return this.#lent.lend(all.subarray(0, half))
  }

  /** The lines of what a merge took. */
  took(replica: ReplicaId, { took }: MergeResult): void {
    const lines = new LogLines(this.#catalog!)
    for (const rows of took) lines.rows(this.#lines[replica]!, replica, rows)
  }

  /** Goes through lines until one gives a reason to stop. */
  #walk(
    index: 0 | 1,
    start: number,
    end: number,
    each: (line: Buffer, result: Result) => FastStop | undefined,
  ): Result {
    this.#lent.runs++
    const result = this.#result
    Object.assign(result, { stop: 'end', at: start, lines: 0, sets: 0, deletes: 0, gets: 0, found: 0, twins: 0 })
    result.greatest = 0n
    for (let replica = 0; replica < this.#lines.length; replica++) result.records[replica] = 0
    const bytes = Buffer.from(this.#inputs[index])
    if (bytes[end - 1] !== LF) throw new Error('whole lines are given')
    while (result.at < end) {
      const lineEnd = bytes.indexOf(LF, result.at)
      const line = bytes.subarray(result.at, bytes[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd)
      const stop = each(line, result)
      if (stop !== undefined) {
        result.stop = stop
        break
      }
      result.at = lineEnd + 1
      result.lines++
    }
    this.#move()
    return result
  }

  #parsed(line: Buffer, parser: LineParser): Statement | undefined {
    const { knows = () => true } = this.#options
    if (!knows(line.toString())) return undefined
    try {
      parser.parse(line, 0, line.length, this.#statement)
      return this.#statement
    } catch (error) {
      if (!(error instanceof MerganserError)) throw error
      return undefined
    }
  }

  #execute(line: Buffer, parser: LineParser, clock: HybridClock, result: Result): FastStop | undefined {
    const { logBytes = Infinity, resultBytes = Infinity, memory = Infinity } = this.#options
    const waiting = this.#lines.reduce((sum, { length }) => sum + length, 0)
    if (waiting > 0 && this.#lent.bytes + waiting > logBytes) return 'logFull'
    if (this.#results.length > resultBytes) return 'resultsFull'
    const statement = this.#parsed(line, parser)
    if (statement === undefined) return 'line'
    const { op, replica, table, input, stamp: kept, expected } = statement
    if (op === 'none') return undefined
    if ((op !== 'set' && op !== 'delete' && op !== 'get') || expected !== undefined || kept !== undefined) return 'line'
    if (this.#executed++ >= memory) return 'memory'
    if (op === 'get') return this.#get(statement, line, clock, result)
    const { keyBytes, valueBytes, fits } = this.#settings!.replicas[replica]!
    if (!fits[table]! || input.keyLength > keyBytes || (input.ends[input.count - 1] ?? 0) > valueBytes) return 'line'
    const stamp = { time: clock.next(), origin: this.#catalog!.replicas[replica]! }
    if (op === 'set') {
      this.#state.set(replica, table, input, stamp)
      result.sets++
    } else {
      this.#state.remove(replica, table, input, stamp)
      result.deletes++
    }
    result.records[replica]!++
    if (this.keepsLines) new LogLines(this.#catalog!).write(this.#lines[replica]!, statement, line, stamp)
    return undefined
  }

  #get(statement: Statement, line: Buffer, clock: HybridClock, result: Result): FastStop | undefined {
    const { replica, table, input } = statement
    const records = this.#state.records(replica)
    const { row, complete } = this.#state.get(replica, table, input)
    if (!complete) {
      this.#state.startAt(replica, records)
      return 'line'
    }
    const stamp = { time: clock.next(), origin: this.#catalog!.replicas[replica]! }
    const lines = new LogLines(this.#catalog!)
    const shown = new Printer(this.#catalog!).rowText(table, row)
    if (this.keepsLines) lines.read(this.#lines[replica]!, statement, line, stamp, shown)
    if (this.#settings!.keepsResults) lines.answer(this.#results, statement, line, shown)
    result.gets++
    result.records[replica]!++
    if (exists(row)) result.found++
    return undefined
  }
}
