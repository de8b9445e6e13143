import { fullMemory } from '../core/errors.ts'
import type { Inputs } from './inputs.ts'
import type { Kernel } from './kernel.ts'

const NONE = -1

/** Names of origins and their numbers in the kernel. */
export class Origins {
  readonly #kernel: Kernel
  readonly #inputs: Inputs
  readonly #numbers = new Map<string, number>()
  readonly #names: string[] = []
  #lastName = ''
  #lastNumber = NONE

  constructor(kernel: Kernel, inputs: Inputs) {
    this.#kernel = kernel
    this.#inputs = inputs
  }

  /** Throws MEMORY_LIMIT where there are 65,535 already. */
  numberOf(name: string): number {
    if (name === this.#lastName) return this.#lastNumber
    const number = this.#numbers.get(name) ?? this.#find(name)
    this.#lastName = name
    this.#lastNumber = number
    return number
  }

  nameOf(number: number): string {
    return (this.#names[number] ??= this.#read(number))
  }

  #find(name: string): number {
    const { call } = this.#kernel
    const bytes = Buffer.from(name, 'latin1')
    // The name, and twice the vector of origins, which may double.
    if (call['roomForBytes']!(bytes.length + call['originCount']!() * 48 + 1024) === 0) throw fullMemory()
    const number = call['findOrigin']!(this.#inputs.put(bytes), bytes.length)
    if (number === NONE) throw fullMemory()
    this.#numbers.set(name, number)
    return number
  }

  #read(number: number): string {
    const { call, bytes } = this.#kernel
    const start = call['originName']!(number) >>> 0
    return bytes.toString('latin1', start, start + call['originNameLength']!(number))
  }
}
