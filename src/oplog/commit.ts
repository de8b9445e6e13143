import { assert, MerganserError } from '../core/errors.ts'
import type { Timers } from '../environment/environment.ts'
import { stateError } from './failure.ts'
import type { Cut, OplogWriter } from './writer.ts'

export interface CommitOptions {
  /** An epoch begins at the latest so long after the first byte that it would hold. Default 10. */
  readonly intervalMilliseconds: number
  /** An epoch begins once so many bytes were gathered, of all logs together. Default 4 MiB. */
  readonly bytes: number
  /** `full` above so many bytes that aren't durable yet, gathered or in flight. Default 32 MiB. */
  readonly fullBytes: number
  /** `append` throws MEMORY_LIMIT above so many. Default 8 times `fullBytes`. */
  readonly limitBytes: number
}

/** What one commit epoch made durable. */
export interface DurableEpoch {
  /** From 1, per group. */
  readonly epoch: number
  /** Per replica (all of the group), the number of its last durable record. */
  readonly records: ReadonlyMap<string, number>
  /** Bytes written by this epoch, seals and headers included. */
  readonly bytes: number
}

export interface CommitListener {
  /** When an epoch begins, before it cuts the logs: what is appended until this returns belongs to it. Must not throw. */
  onCut?(): void
  /** After each epoch, before the promises of `durable` and `room` that wait for it resolve. Must not throw. */
  onDurable?(epoch: DurableEpoch): void
  /** Once, when the group fails. */
  onFailure?(error: MerganserError): void
}

interface Waiter {
  resolve(): void
  reject(error: MerganserError): void
}

/**
 * Group commit over all logs of a session (I4). An epoch cuts all logs at one moment, writes and seals what each
 * gathered, and syncs them side by side; it is durable when all of them are. One epoch is in flight while the next one
 * gathers.
 *
 * A failed write or sync ends the group for ever: whoever waits, and every later call, gets the same error (STATE_FULL
 * for a full disk or quota, else STATE_UNUSABLE), and nothing more is acknowledged, because after a failed sync a later
 * success is false. The next `openLog` keeps every acknowledged record and sets the rest aside.
 */
export class CommitGroup {
  readonly #timers: Timers
  readonly #writers: readonly OplogWriter[]
  readonly #options: CommitOptions
  readonly #listener: CommitListener
  #epoch = 0
  #failure: MerganserError | undefined
  /** Bytes appended but not cut; bytes cut but not durable. */
  #gathered = 0
  #inFlight = 0
  /** `#run` is at work; within it, between the cut and the end of an epoch, `#committing`. */
  #busy = false
  #committing = false
  /** An epoch must begin as soon as it can. */
  #due = false
  /** Calls the alarm off. */
  #alarm: (() => void) | undefined
  #running: Promise<void> = Promise.resolve()
  #closed = false
  /** Wait for the epoch in flight, for the one after it, and for room. */
  #current: Waiter[] = []
  #next: Waiter[] = []
  #roomless: Waiter[] = []

  /** @param writers all logs of the session, from `openLog`; the group drives and closes them */
  constructor(
    environment: { readonly timers: Timers },
    writers: readonly OplogWriter[],
    options: Partial<CommitOptions> = {},
    listener: CommitListener = {},
  ) {
    const fullBytes = options.fullBytes ?? 32 * 1024 * 1024
    this.#timers = environment.timers
    this.#writers = writers
    this.#options = {
      intervalMilliseconds: options.intervalMilliseconds ?? 10,
      bytes: options.bytes ?? 4 * 1024 * 1024,
      fullBytes,
      limitBytes: options.limitBytes ?? fullBytes * 8,
    }
    this.#listener = listener
    for (const writer of writers) {
      this.#gathered += writer.pendingBytes
      writer.listen({
        admit: (bytes) => {
          this.#admit(bytes)
        },
        appended: (bytes) => this.#appended(bytes),
      })
    }
  }

  /** Number of the last durable epoch; 0 before the first. */
  get epoch(): number {
    return this.#epoch
  }

  /** Why the group has failed, if it has. */
  get failure(): MerganserError | undefined {
    return this.#failure
  }

  /** Bytes appended that aren't durable yet. */
  get unsyncedBytes(): number {
    return this.#gathered + this.#inFlight
  }

  /** Whether the caller should wait for `room` before it appends more. */
  get full(): boolean {
    return this.unsyncedBytes > this.#options.fullBytes
  }

  /** Resolves when not `full` (at once where it isn't); rejects when the group fails. */
  room(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (!this.full) return Promise.resolve()
    this.#begin()
    return new Promise((resolve, reject) => this.#roomless.push({ resolve, reject }))
  }

  /** Resolves when the epoch in flight is durable, or the one that this begins; at once where nothing was appended. */
  progress(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (!this.#committing) return this.durable()
    return new Promise((resolve, reject) => this.#current.push({ resolve, reject }))
  }

  /**
   * Resolves when everything appended to any log up to this call is durable; begins an epoch at once where one is
   * needed. Rejects when the group fails before that, and always after it has failed.
   */
  durable(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#gathered === 0 && !this.#committing) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const needed = this.#gathered === 0 ? this.#current : this.#next
      needed.push({ resolve, reject })
      if (needed === this.#next) this.#begin()
    })
  }

  /** Makes everything durable and closes the files. Rejects with the failure where it has failed; closes them all the same. */
  async close(): Promise<void> {
    try {
      if (!this.#closed) await this.durable()
    } finally {
      const first = !this.#closed
      this.#closed = true
      this.#alarm?.()
      await this.#running
      if (first) await Promise.allSettled(this.#writers.map((writer) => writer.close()))
    }
  }

  #admit(bytes: number): void {
    if (this.#failure !== undefined) throw this.#failure
    assert(!this.#closed, 'nothing is appended to a closed oplog')
    if (this.unsyncedBytes + bytes > this.#options.limitBytes && this.unsyncedBytes > 0) {
      throw new MerganserError('MEMORY_LIMIT', 'the oplogs hold more unwritten operations than allowed', {
        advice: 'the disk of the state directory is too slow for this rate',
      })
    }
  }

  #appended(bytes: number): boolean {
    this.#gathered += bytes
    if (this.#gathered >= this.#options.bytes) this.#begin()
    else if (this.#alarm === undefined) this.#setAlarm()
    return !this.full
  }

  #setAlarm(): void {
    this.#alarm = this.#timers.after(this.#options.intervalMilliseconds, () => {
      this.#begin()
    })
  }

  /** Lets an epoch begin, now or after the one in flight. */
  #begin(): void {
    this.#due = true
    if (this.#busy || this.#failure !== undefined) return
    this.#busy = true
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    // Lets callers of the same moment share the epoch.
    await Promise.resolve()
    while (this.#due && this.#failure === undefined) {
      try {
        await this.#commit()
        await this.#rotate()
      } catch (error) {
        this.#fail(error instanceof MerganserError ? error : stateError(error, 'the oplog', ''))
      }
    }
    this.#busy = false
  }

  async #commit(): Promise<void> {
    this.#listener.onCut?.()
    const cuts = this.#cut()
    this.#committing = true
    try {
      await allOf(cuts.map(({ writer, cut }) => commit(writer, cut)))
    } finally {
      for (const { cut } of cuts) cut.release()
    }
    for (const { writer, cut } of cuts) writer.acknowledge(cut)
    this.#inFlight = 0
    this.#committing = false
    this.#acknowledge(cuts.reduce((bytes, { cut }) => bytes + cut.bytes, 0))
  }

  /** The epoch's moment: nothing is appended between the first log's cut and the last one's. */
  #cut(): { readonly writer: OplogWriter; readonly cut: Cut }[] {
    this.#due = false
    this.#alarm?.()
    this.#alarm = undefined
    this.#current = this.#next
    this.#next = []
    this.#inFlight = this.#gathered
    this.#gathered = 0
    return this.#writers.flatMap((writer) => {
      const cut = writer.cut()
      return cut === undefined ? [] : [{ writer, cut }]
    })
  }

  #acknowledge(bytes: number): void {
    if (bytes > 0) {
      this.#epoch++
      const records = new Map(this.#writers.map((writer) => [writer.replica, writer.durableRecords]))
      this.#listener.onDurable?.({ epoch: this.#epoch, records, bytes })
    }
    settle(this.#current.splice(0), undefined)
    if (!this.full) settle(this.#roomless.splice(0), undefined)
  }

  async #rotate(): Promise<void> {
    for (const writer of this.#writers) {
      if (writer.rotationDue) await guarded(writer, 'rotating', () => writer.rotate())
    }
  }

  #fail(error: MerganserError): void {
    this.#failure = error
    for (const writer of this.#writers) writer.abandon()
    for (const waiting of [this.#current, this.#next, this.#roomless]) settle(waiting.splice(0), error)
    this.#listener.onFailure?.(error)
  }
}

function settle(waiters: readonly Waiter[], error: MerganserError | undefined): void {
  for (const waiter of waiters) {
    if (error === undefined) waiter.resolve()
    else waiter.reject(error)
  }
}

/** While one log is being synced, the next is written. */
async function commit(writer: OplogWriter, cut: Cut): Promise<void> {
  await guarded(writer, 'writing', () => writer.write(cut))
  await guarded(writer, 'syncing', () => writer.sync())
}

async function guarded(writer: OplogWriter, doing: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    throw stateError(error, `${doing} the oplog of ${writer.replica}`, writer.path)
  }
}

/** Waits for all, so that no file is in use when the first error is thrown. */
async function allOf(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) {
    if (result.status === 'rejected') throw result.reason
  }
}
