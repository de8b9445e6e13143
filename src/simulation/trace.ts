/** What happened, line by line: kept where somebody wants to read it, and always summed up in a digest. */
export class Trace {
  readonly lines: string[] | undefined
  #a = 0x811c9dc5
  #b = 0x12345678

  constructor(keep: boolean) {
    this.lines = keep ? [] : undefined
  }

  /** @param now microseconds of virtual time */
  add(now: number, what: string): void {
    const line = `${(now / 1000).toFixed(3).padStart(12)} ms  ${what}`
    for (let i = 0; i < line.length; i++) {
      const unit = line.charCodeAt(i)
      this.#a = Math.imul(this.#a ^ unit, 0x01000193)
      this.#b = Math.imul(this.#b ^ unit, 0x5bd1e995)
      this.#b ^= this.#b >>> 13
    }
    this.lines?.push(line)
  }

  /** Two runs that show the same have made the same lines. */
  get digest(): string {
    return [this.#a, this.#b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
  }
}
