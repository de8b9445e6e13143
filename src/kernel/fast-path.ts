import type { HybridClock } from '../core/clock.ts'
import { fullMemory } from '../core/errors.ts'
import type { FastBytes, FastPath, FastResult, FastSettings, FastStop } from '../core/fast-path.ts'
import { MAX_TIME } from '../core/stamp.ts'
import type { ReplicaId } from '../core/state.ts'
import type { TableSchema } from '../core/table.ts'
import { FastCatalog } from './fast-catalog.ts'
import type { Kernel, KernelFunction } from './kernel.ts'

/** Why a block ended, by its number in `assembly/scan-execute.ts`. */
const STOPS: readonly FastStop[] = ['end', 'line', 'logFull', 'resultsFull', 'memory', 'rows']

/** Bytes of results that may be taken and not yet given back. */
const RESULT_BYTES = 8 * 1024 * 1024

/** Where a run tells what it did (`assembly/fast-exports.ts`). */
const STOP = 0
const LINE = 4
const LINES = 8
const SETS = 12
const DELETES = 16
const GETS = 20
const FOUND = 24
const LAST = 32
const GREATEST = 40
const REPLICAS = 48
const PER_REPLICA = 16

interface Result extends FastResult {
  greatest: bigint
}

/** The fast path of the compiled kernel. */
export class KernelFastPath implements FastPath {
  readonly #kernel: Kernel
  readonly #call: Readonly<Record<string, KernelFunction>>
  readonly #tables: readonly TableSchema[]
  readonly #replicas: readonly string[]
  #views: readonly [Uint8Array, Uint8Array] | undefined
  #viewed: unknown
  #result = 0
  #begun = false
  readonly #told: Result = {
    stop: 'end',
    at: 0,
    lines: 0,
    sets: 0,
    deletes: 0,
    gets: 0,
    found: 0,
    twins: 0,
    records: [],
    greatest: 0n,
  }

  /**
   * @param tables of the state, as they are when `begin` is called
   * @param replicas their names, likewise
   */
  constructor(kernel: Kernel, tables: readonly TableSchema[], replicas: readonly string[]) {
    this.#kernel = kernel
    this.#call = kernel.call
    this.#tables = tables
    this.#replicas = replicas
  }

  /** Whether the kernel writes log lines itself from here on, where anybody reads them. */
  get begun(): boolean {
    return this.#begun
  }

  /** Throws MEMORY_LIMIT. */
  begin(settings: FastSettings): void {
    const catalog = new FastCatalog(settings, this.#replicas, this.#tables)
    const at = this.#call['fastBlock']!(catalog.bytes) >>> 0
    if (at === 0) throw fullMemory()
    this.#kernel.bytes.set(catalog.placed(at), at)
    const { keepsLines, keepsResults, logBytes } = settings
    const open = this.#call['openFast']!
    const logs = Math.min(logBytes, 0x7fffffff)
    if (open(at, Number(keepsLines), Number(keepsResults), logs, RESULT_BYTES) === 0) throw fullMemory()
    this.#result = this.#call['fastResult']!() >>> 0
    this.#views = undefined
    this.#begun = true
    this.#told.records.length = 0
    for (let replica = 0; replica < this.#replicas.length; replica++) this.#told.records.push(0)
  }

  input(index: 0 | 1): Uint8Array {
    const { bytes } = this.#kernel
    if (this.#views === undefined || this.#viewed !== bytes) {
      const size = this.#call['fastInputBytes']!()
      const view = (of: number) => {
        const start = this.#call['fastInput']!(of) >>> 0
        return bytes.subarray(start, start + size)
      }
      this.#views = [view(0), view(1)]
      this.#viewed = bytes
    }
    return this.#views[index]
  }

  run(index: 0 | 1, start: number, end: number, clock: HybridClock, rows: number): FastResult {
    const most = Math.max(0, Math.min(rows, 0xffffffff))
    const bound = clock.bound > MAX_TIME ? MAX_TIME : clock.bound
    this.#call['runFast']!(index, start, end, clock.wall, clock.last, bound, most)
    const told = this.#tell(index)
    clock.rise(this.#kernel.view.getBigInt64(this.#result + LAST, true))
    return told
  }

  restore(
    index: 0 | 1,
    start: number,
    end: number,
    replica: ReplicaId,
    first: number,
    upTo: number,
    count: boolean,
  ): FastResult & { readonly greatest: bigint } {
    const records = Math.min(Math.max(0, upTo - first + 1), Number.MAX_SAFE_INTEGER)
    this.#call['restoreFast']!(index, start, end, replica, first, records, Number(count))
    const told = this.#tell(index)
    told.records.fill(0)
    told.records[replica] = told.sets + told.deletes + told.gets
    const greatest = this.#kernel.view.getBigInt64(this.#result + GREATEST, true)
    told.greatest = greatest < 0n ? 0n : greatest
    return told
  }

  logged(replica: ReplicaId): number {
    return this.#call['logged']!(replica) >>> 0
  }

  takeLog(replica: ReplicaId): FastBytes | undefined {
    return this.#range(this.#call['takeLog']!(replica) >>> 0)
  }

  takeResults(): FastBytes | undefined {
    return this.#range(this.#call['takeResults']!() >>> 0)
  }

  /** What was taken: +0 its address, +4 its bytes, +8 its chunk. */
  #range(at: number): FastBytes | undefined {
    if (at === 0) return undefined
    const { view } = this.#kernel
    const start = view.getUint32(at, true)
    const length = view.getUint32(at + 4, true)
    const chunk = view.getUint32(at + 8, true)
    const bytes = this.#kernel.bytes.subarray(start, start + length)
    const release = this.#call['releaseChunk']!
    if (this.#kernel.shared) {
      return {
        bytes,
        release: () => {
          release(chunk)
        },
      }
    }
    // A memory that isn't shared moves when it grows.
    const copy = Uint8Array.from(bytes)
    release(chunk)
    return { bytes: copy, release: () => undefined }
  }

  #tell(index: 0 | 1): Result {
    const { view } = this.#kernel
    const told = this.#told
    const at = this.#result
    told.stop = STOPS[view.getUint32(at + STOP, true)]!
    told.at = view.getUint32(at + LINE, true) - (this.#call['fastInput']!(index) >>> 0)
    told.lines = view.getUint32(at + LINES, true)
    told.sets = view.getUint32(at + SETS, true)
    told.deletes = view.getUint32(at + DELETES, true)
    told.gets = view.getUint32(at + GETS, true)
    told.found = view.getUint32(at + FOUND, true)
    for (let replica = 0; replica < told.records.length; replica++) {
      told.records[replica] = view.getUint32(at + REPLICAS + replica * PER_REPLICA + 8, true)
    }
    return told
  }
}
