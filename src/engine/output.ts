/** Where results go: standard output, or a program's callback. May give a promise for back-pressure. */
export type Sink = (bytes: Uint8Array) => Promise<void> | undefined

/** Bytes of results that may wait for a slow reader, once they are durable. */
const FULL = 4 * 1024 * 1024

/**
 * Holds results back until every operation that they depend on is durable (I4): what was pushed before an epoch's cut
 * is shown when that epoch is on disk.
 */
export class Output {
  readonly #sink: Sink
  readonly #holds: boolean
  #held: Buffer[] = []
  #cut: Buffer[] = []
  #written: Promise<void> = Promise.resolve()
  #unwritten = 0
  #failure: unknown

  /** @param held false for a dry run, where nothing becomes durable */
  constructor(sink: Sink, held: boolean) {
    this.#sink = sink
    this.#holds = held
  }

  /** Copied at once. */
  push(bytes: Uint8Array): void {
    this.#held.push(Buffer.from(bytes))
    if (this.#holds) return
    this.cut()
    this.release()
  }

  /** The epoch that is beginning makes all that was pushed so far durable. */
  cut(): void {
    if (this.#held.length === 0) return
    for (const bytes of this.#held) this.#cut.push(bytes)
    this.#held = []
  }

  /** The epoch of the last cut is durable. */
  release(): void {
    if (this.#cut.length === 0) return
    const bytes = Buffer.concat(this.#cut)
    this.#cut = []
    this.#unwritten += bytes.length
    this.#written = this.#written
      .then(() => this.#sink(bytes))
      .catch((error: unknown) => {
        this.#failure ??= error
      })
      .then(() => {
        this.#unwritten -= bytes.length
      })
  }

  /** Whether more than enough waits for the sink (I11). */
  get full(): boolean {
    return this.#unwritten > FULL
  }

  /** Resolves when what was released is written, where `full`. */
  async room(): Promise<void> {
    if (this.full) await this.#written
  }

  /** Resolves when what was released is written; rejects where it couldn't be. */
  async written(): Promise<void> {
    await this.#written
    if (this.#failure !== undefined) throw this.#failure as Error
  }
}
