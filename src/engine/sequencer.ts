import { assert } from '../core/errors.ts'
import type { FastPath, FastResult } from '../core/fast-path.ts'
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
  results: ByteBuffer
  /** What ends the segment; undefined for the one that is being filled. */
  end: Unanswered | undefined
}

const NOTHING = new Uint8Array(0)
/** A buffer of a segment that has grown beyond this is not kept. */
const KEPT_BYTES = 256 * 1024
/** Lines of the fast path that may wait behind unanswered GETs. */
const HELD_BYTES = 32 * 1024 * 1024

/**
 * Keeps log lines and results in the order of the statements while the answers of GETs arrive in any order (I13): what
 * comes after an unanswered GET waits behind it. Without one, lines go straight through.
 *
 * Lines and results that the state wrote itself stay with it until the next hand-over, or until something is written
 * behind them.
 */
export class Sequencer {
  readonly #log: SessionLog
  readonly #output: Output | undefined
  readonly #replicas: number
  readonly #fast: FastPath | undefined
  /** In the order of the statements, from `#first` on; the last is the current one. */
  #segments: Segment[]
  #first = 0
  #current: Segment
  #spare: Segment[] = []
  /** What a hand-over has gathered of segments that are answered: their lines are few each. */
  readonly #passing: Segment
  /** Records of the lines that the state wrote and that weren't taken yet, per replica; whether it has results. */
  readonly #fastRecords: number[]
  #fastResults = false
  /** Bytes of the state's lines that wait behind unanswered GETs. */
  #held = 0

  /**
   * @param output undefined where results aren't shown
   * @param fast what the state writes lines with itself
   */
  constructor(replicas: number, log: SessionLog, output: Output | undefined, fast?: FastPath) {
    this.#log = log
    this.#output = output
    this.#replicas = replicas
    this.#fast = fast
    this.#fastRecords = new Array<number>(replicas).fill(0)
    this.#passing = this.#segment()
    this.#current = this.#segment()
    this.#segments = [this.#current]
  }

  /** Unanswered GETs. */
  get unanswered(): number {
    return this.#segments.length - this.#first - 1
  }

  /** Whether more than enough waits behind unanswered GETs (I11). */
  get held(): boolean {
    return this.#held > HELD_BYTES
  }

  /** False where nobody reads the lines: they are only counted. */
  get keepsLines(): boolean {
    return this.#log.keeps
  }

  /** Where the next lines of a replica are written; tell `wrote` how many records they were. */
  lines(replica: ReplicaId): ByteBuffer {
    if (this.#fastRecords[replica]! > 0) this.#takeLog(replica)
    return this.#current.lines[replica]!
  }

  wrote(replica: ReplicaId, records: number): void {
    this.#current.records[replica]! += records
  }

  /** Lines that the state wrote itself, and their records. */
  stateWrote(replica: ReplicaId, records: number): void {
    this.#fastRecords[replica]! += records
  }

  /** What a run of the fast path wrote. */
  ran({ records, gets }: FastResult): void {
    for (let replica = 0; replica < this.#replicas; replica++) this.#fastRecords[replica]! += records[replica]!
    if (gets > 0) this.#fastResults = true
    if (this.unanswered > 0) this.#takeAll(false)
  }

  /** Where the next results are written; undefined where they aren't shown. */
  get results(): ByteBuffer | undefined {
    if (this.#output === undefined) return undefined
    if (this.#fastResults) this.#takeResults(false)
    return this.#current.results
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
    this.#takeAll(false)
    this.#current.end = unanswered
    this.#current = this.#spare.pop() ?? this.#segment()
    this.#segments.push(this.#current)
  }

  /** Hands over to the log and the output what waits for no answer. Called at the end of each block of statements. */
  handOver(): void {
    // Before an earlier answer is written, what the state wrote after it has its place.
    if (this.unanswered > 0) this.#takeAll(false)
    const passing = this.#passing
    const filling = this.#current
    for (;;) {
      const segment = this.#segments[this.#first]!
      if (segment === filling || segment.end?.finish === undefined) break
      this.#move(segment, passing)
      const { finish } = segment.end
      segment.end = undefined
      // The answer is written where its place in the order is: now, before what follows.
      this.#current = passing
      finish()
      this.#current = filling
      this.#spare.push(segment)
      this.#first++
    }
    this.#empty(passing)
    this.#empty(this.#segments[this.#first]!)
    // Those that have passed go in large numbers: a look-up brings the answers of a thousand GETs, one after the other.
    if (this.#first > this.#segments.length / 2) {
      this.#segments = this.#segments.slice(this.#first)
      this.#first = 0
    }
    if (this.unanswered === 0) {
      this.#held = 0
      this.#takeAll(true)
    }
    this.#showDurable()
  }

  /** Results whose records were written before them, and are durable already, wait for no further epoch. */
  #showDurable(): void {
    if (this.#output === undefined || !this.#log.settled) return
    this.#output.cut()
    this.#output.release()
  }

  /**
   * Takes what the state wrote to where it belongs: behind all that was written before.
   * @param shown whether results go out, as all lines before them are handed over
   */
  #takeAll(shown: boolean): void {
    for (let replica = 0; replica < this.#replicas; replica++) {
      if (this.#fastRecords[replica]! > 0) this.#takeLog(replica)
    }
    if (this.#fastResults) this.#takeResults(shown)
  }

  #takeLog(replica: ReplicaId): void {
    const through = this.unanswered === 0
    if (through) this.#emptyLines(this.#current, replica)
    const lines = this.#current.lines[replica]!
    let records = this.#fastRecords[replica]!
    this.#fastRecords[replica] = 0
    if (!through) this.#current.records[replica]! += records
    else if (!this.keepsLines) this.#log.append(replica, NOTHING, records)
    if (!this.keepsLines) return
    let taken = this.#fast?.takeLog(replica)
    assert(taken !== undefined, 'the state wrote the lines that it counted')
    for (; taken !== undefined; taken = this.#fast?.takeLog(replica)) {
      const { bytes } = taken
      if (through) {
        const held = taken
        this.#log.append(replica, bytes, records, () => {
          held.release()
        })
        records = 0
      } else {
        lines.append(bytes, 0, bytes.length)
        this.#held += bytes.length
        taken.release()
      }
    }
  }

  #takeResults(shown: boolean): void {
    this.#fastResults = false
    for (let taken = this.#fast?.takeResults(); taken !== undefined; taken = this.#fast?.takeResults()) {
      if (shown) this.#output?.push(taken.bytes)
      else this.#current.results.append(taken.bytes, 0, taken.bytes.length)
      taken.release()
    }
  }

  #empty(segment: Segment): void {
    for (let replica = 0; replica < this.#replicas; replica++) this.#emptyLines(segment, replica)
    this.#emptyResults(segment)
  }

  #emptyLines(segment: Segment, replica: ReplicaId): void {
    const lines = segment.lines[replica]!
    const records = segment.records[replica]!
    if (lines.length === 0 && records === 0) return
    this.#log.append(replica, lines.view(), records)
    segment.records[replica] = 0
    segment.lines[replica] = emptied(lines)
  }

  #emptyResults(segment: Segment): void {
    if (segment.results.length === 0) return
    this.#output?.push(segment.results.view())
    segment.results = emptied(segment.results)
  }

  /** Puts what a segment holds behind what another one does. */
  #move(from: Segment, into: Segment): void {
    for (let replica = 0; replica < this.#replicas; replica++) {
      const lines = from.lines[replica]!
      into.lines[replica]!.append(lines.bytes, 0, lines.length)
      into.records[replica]! += from.records[replica]!
      from.records[replica] = 0
      from.lines[replica] = emptied(lines)
    }
    into.results.append(from.results.bytes, 0, from.results.length)
    from.results = emptied(from.results)
  }

  #segment(): Segment {
    return {
      lines: Array.from({ length: this.#replicas }, () => new ByteBuffer(0)),
      records: new Array<number>(this.#replicas).fill(0),
      results: new ByteBuffer(0),
      end: undefined,
    }
  }
}

/** The same buffer where it is worth keeping. */
function emptied(buffer: ByteBuffer): ByteBuffer {
  if (buffer.bytes.length > KEPT_BYTES) return new ByteBuffer(0)
  buffer.clear()
  return buffer
}
