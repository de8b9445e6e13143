import { fullMemory, MerganserError } from '../core/errors.ts'
import type { RowInput } from '../core/state.ts'
import { MAX_KEY_BYTES } from '../core/table.ts'
import type { Kernel } from './kernel.ts'
import { NULL_LENGTH } from './layout.ts'

/** Up to here a loop beats a call. */
const SHORT = 48

/** Writes single statements into the kernel's areas for them. */
export class Inputs {
  readonly #kernel: Kernel
  readonly #key: number
  readonly #shape: number
  #values = 0
  #room = 0

  constructor(kernel: Kernel) {
    this.#kernel = kernel
    this.#key = kernel.call['inputKey']!() >>> 0
    this.#shape = kernel.call['inputShape']!() >>> 0
  }

  /** Puts bytes into the area for values; gives their address. Throws MEMORY_LIMIT. */
  put(source: Uint8Array): number {
    const area = this.#area(source.length)
    this.#kernel.bytes.set(source, area)
    return area
  }

  putKey(key: Uint8Array): void {
    checkKey(key.length)
    this.#kernel.bytes.set(key, this.#key)
  }

  /** Puts a value; gives its length in bytes, or that of null. */
  putValue(text: string | null): number {
    if (text === null) return NULL_LENGTH
    const area = this.#area(text.length * 3)
    return this.#kernel.bytes.write(text, area, 'utf8')
  }

  writeKey({ key, keyLength }: RowInput): void {
    checkKey(keyLength)
    copy(this.#kernel.bytes, this.#key, key, keyLength)
  }

  /** The key and the cells. */
  write(input: RowInput): void {
    const { count, columns, ends, nulls } = input
    const length = count === 0 ? 0 : ends[count - 1]!
    const area = this.#area(length)
    this.writeKey(input)
    copy(this.#kernel.bytes, area, input.values, length)
    const { view } = this.#kernel
    let start = 0
    for (let i = 0; i < count; i++) {
      const at = this.#shape + i * 8
      view.setUint32(at, columns[i]!, true)
      view.setUint32(at + 4, nulls[i] === 1 ? NULL_LENGTH : ends[i]! - start, true)
      start = ends[i]!
    }
  }

  /** The area for values, of at least so many bytes. */
  #area(bytes: number): number {
    if (bytes <= this.#room && this.#values !== 0) return this.#values
    const wanted = Math.max(bytes, 4096)
    this.#values = this.#kernel.call['inputValues']!(wanted) >>> 0
    if (this.#values === 0) throw fullMemory()
    this.#room = wanted
    return this.#values
  }
}

/** The kernel's area for keys is of a fixed size. */
function checkKey(bytes: number): void {
  if (bytes <= MAX_KEY_BYTES) return
  throw new MerganserError('LIMIT', `the key is longer than ${String(MAX_KEY_BYTES)} bytes`)
}

function copy(to: Buffer, at: number, from: Uint8Array, length: number): void {
  if (length > SHORT) to.set(from.subarray(0, length), at)
  else for (let i = 0; i < length; i++) to[at + i] = from[i]!
}
