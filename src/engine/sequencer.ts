import type { ReplicaId } from '../core/state.ts'
import { ByteBuffer } from '../script/byte-buffer.ts'
import type { Output } from './output.ts'
import type { SessionLog } from './session-log.ts'

/** A GET whose answer is on its way from the database. */
export interface Unanswered {
  /** Set once the answer is known: writes the log line and the result. */
  finish: (() => void) | undefined
}

/** Log lines and results between two unanswered GETs. */
interface Segment {
  /** Per replica. */
  readonly lines: ByteBuffer[]
  readonly records: number[]
  readonly results: ByteBuffer
  /** What ends the segment; undefined for the one that is being filled. */
  end: Unanswered | undefined
}

/**
 * Keeps log lines and results in the order of the statements while the answers of GETs arrive in any order (I13): what
 * comes after an unanswered GET waits behind it. Without one, lines go straight through.
 */
export class Sequencer {
  readonly #log: SessionLog
  readonly #output: Output | undefined
  readonly #replicas: number
  #segments: Segment[]
  #current: Segment
  #spare: Segment[] = []

  /** @param output undefined where results aren't shown */
  constructor(replicas: number, log: SessionLog, output: Output | undefined) {
    this.#log = log
    this.#output = output
    this.#replicas = replicas
    this.#current = this.#segment()
    this.#segments = [this.#current]
  }

  /** Unanswered GETs. */
  get unanswered(): number {
    return this.#segments.length - 1
  }

  /** False where nobody reads the lines: they are only counted. */
  get keepsLines(): boolean {
    return this.#log.keeps
  }

  /** Where the next lines of a replica are written; tell `wrote` how many records they were. */
  lines(replica: ReplicaId): ByteBuffer {
    return this.#current.lines[replica]!
  }

  wrote(replica: ReplicaId, records: number): void {
    this.#current.records[replica]! += records
  }

  /** Where the next results are written; undefined where they aren't shown. */
  get results(): ByteBuffer | undefined {
    return this.#output === undefined ? undefined : this.#current.results
  }

  /** Whether results are written out too slowly: wait for `outputRoom` before the next block. */
  get outputFull(): boolean {
    return this.#output?.full ?? false
  }

  async outputRoom(): Promise<void> {
    await this.#output?.room()
  }

  /** From here on everything waits for this answer. */
  await(unanswered: Unanswered): void {
    this.#current.end = unanswered
    this.#current = this.#spare.pop() ?? this.#segment()
    this.#segments.push(this.#current)
  }

  /** Hands over to the log and the output what waits for no answer. Called at the end of each block of statements. */
  handOver(): void {
    let passed = 0
    for (const segment of this.#segments) {
      this.#empty(segment)
      if (segment === this.#current || segment.end?.finish === undefined) break
      const { finish } = segment.end
      segment.end = undefined
      passed++
      // The answer is written where its place in the order is: now, before what follows.
      const filling = this.#current
      this.#current = segment
      finish()
      this.#current = filling
      this.#empty(segment)
      this.#spare.push(segment)
    }
    if (passed > 0) this.#segments = this.#segments.slice(passed)
  }

  #empty(segment: Segment): void {
    for (let replica = 0; replica < this.#replicas; replica++) {
      const lines = segment.lines[replica]!
      const records = segment.records[replica]!
      if (lines.length === 0 && records === 0) continue
      this.#log.append(replica, lines.view(), records)
      lines.clear()
      segment.records[replica] = 0
    }
    if (segment.results.length === 0) return
    this.#output?.push(segment.results.view())
    segment.results.clear()
  }

  #segment(): Segment {
    return {
      lines: Array.from({ length: this.#replicas }, () => new ByteBuffer(64)),
      records: new Array<number>(this.#replicas).fill(0),
      results: new ByteBuffer(64),
      end: undefined,
    }
  }
}
