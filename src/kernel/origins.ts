import { fullMemory, type Kernel } from './kernel.ts'
import { putBytes } from './inputs.ts'

const NONE = -1

/** Names of origins and their numbers in the kernel. */
export class Origins {
  readonly #kernel: Kernel
  readonly #numbers = new Map<string, number>()
  readonly #names: string[] = []
  #lastName = ''
  #lastNumber = NONE

  constructor(kernel: Kernel) {
    this.#kernel = kernel
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
    const number = call['findOrigin']!(putBytes(this.#kernel, bytes), bytes.length)
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
