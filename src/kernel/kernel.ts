import { fullMemory, MerganserError } from '../core/errors.ts'
import { WebAssembly, type WasmMemory, type WasmModule } from './webassembly.ts'

/** Compiles the file that the build made. */
export function compile(bytes: Uint8Array): WasmModule {
  return new WebAssembly.Module(bytes)
}

/** A function of the compiled kernel; numbers in and out, times as bigints. */
export type KernelFunction = (...values: (number | bigint)[]) => number

export interface KernelOptions {
  /** Whether threads may share its memory: as the compiled file was built. Default true. */
  readonly shared?: boolean
  /** Pages of 64 KiB that its memory never grows beyond. Default 65,535: just under 4 GiB. */
  readonly maximumPages?: number
  /** Bits of a key's hash that count; fewer of them for tests of collisions. */
  readonly hashMask?: number
  readonly undoStatements?: number
  readonly undoRows?: number
}

/**
 * More than a session with a few rows needs: growing shared memory costs a third of a millisecond, and pages that nobody
 * touches cost nothing.
 */
const FIRST_PAGES = 256
/** As the files are compiled. */
const MOST_PAGES = 65_536

/**
 * One instance of the compiled kernel with its memory. Every call goes through here: a trap, which only a defect can
 * bring, ends the session with KERNEL_FAILED, and nothing is read from that memory any more.
 */
export class Kernel {
  readonly memory: WasmMemory
  readonly call: Readonly<Record<string, KernelFunction>>
  readonly shared: boolean
  #failure: MerganserError | undefined
  #bytes: Buffer
  #view: DataView
  /** Where the kernel counts how often its memory has grown, and the count that the views are of. */
  #growths = 0
  #seen = 0

  /** Throws MEMORY_LIMIT where the system has no memory for it. */
  constructor(module: WasmModule, options: KernelOptions = {}) {
    this.shared = options.shared ?? true
    const most = Math.min(options.maximumPages ?? MOST_PAGES - 1, MOST_PAGES - 1)
    const initial = Math.min(FIRST_PAGES, most)
    try {
      this.memory = this.shared
        ? new WebAssembly.Memory({ initial, maximum: MOST_PAGES, shared: true })
        : new WebAssembly.Memory({ initial })
    } catch (error) {
      throw new MerganserError('MEMORY_LIMIT', 'the system gives no address space for the rows', { cause: error })
    }
    const imports = {
      env: {
        memory: this.memory,
        // Of the debug build.
        abort: (message: number, file: number, line: number) => {
          throw new WebAssembly.RuntimeError(`${this.#text(message)} (${this.#text(file)}:${String(line)})`)
        },
      },
    }
    const instance = new WebAssembly.Instance(module, imports)
    this.call = this.#guarded(instance.exports)
    this.#bytes = Buffer.from(this.memory.buffer)
    this.#view = new DataView(this.memory.buffer)
    const ready = this.call['init']!(
      most,
      options.hashMask ?? 0xffffffff,
      options.undoStatements ?? 10_000,
      options.undoRows ?? 1_000_000,
    )
    if (ready === 0) throw fullMemory()
    this.#renew()
    this.#growths = this.call['growthCount']!() >>> 0
    this.#seen = this.#view.getUint32(this.#growths, true)
  }

  /** The memory as bytes; ask anew after each call that may have grown it. */
  get bytes(): Buffer {
    if (this.#grown) this.#renew()
    return this.#bytes
  }

  /** The same for numbers. */
  get view(): DataView {
    if (this.#grown) this.#renew()
    return this.#view
  }

  /** Views of shared memory stay good for what they saw; others are empty after growth. */
  get #grown(): boolean {
    return this.#bytes.length === 0 || this.#view.getUint32(this.#growths, true) !== this.#seen
  }

  #renew(): void {
    this.#bytes = Buffer.from(this.memory.buffer)
    this.#view = new DataView(this.memory.buffer)
    if (this.#growths !== 0) this.#seen = this.#view.getUint32(this.#growths, true)
  }

  /** A text of the compiled program's own: UTF-16, its length before it. */
  #text(at: number): string {
    if (at === 0) return 'assertion'
    return this.bytes.toString('utf16le', at, at + this.view.getUint32(at - 4, true))
  }

  #guarded(exports: Readonly<Record<string, unknown>>): Record<string, KernelFunction> {
    const guarded: Record<string, KernelFunction> = {}
    for (const [name, value] of Object.entries(exports)) {
      if (typeof value === 'function') guarded[name] = this.#guard(value as KernelFunction)
    }
    return guarded
  }

  /** No function of the kernel has more than eight parameters; those that it hasn't are ignored. */
  #guard(inner: KernelFunction): KernelFunction {
    return (a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0) => {
      if (this.#failure !== undefined) throw this.#failure
      try {
        return inner(a, b, c, d, e, f, g, h)
      } catch (error) {
        throw this.#fail(error)
      }
    }
  }

  #fail(error: unknown): Error {
    if (!(error instanceof WebAssembly.RuntimeError)) return error as Error
    this.#failure = new MerganserError('KERNEL_FAILED', `the kernel stopped: ${error.message}`, {
      advice: 'nothing acknowledged is lost: run again, the session goes on from its oplogs; please report this',
      cause: error,
    })
    return this.#failure
  }
}
