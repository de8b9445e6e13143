import type { MerganserError } from '../core/errors.ts'
import { CommitGroup } from '../oplog/commit.ts'
import type { OplogWriter } from '../oplog/writer.ts'
import type { ReplicaId } from '../core/state.ts'
import type { OpenedReplicaLog } from './opening.ts'
import type { EngineSetup } from './setup.ts'

/** The oplogs of a session, as the engine writes them. */
export interface SessionLog {
  /** False for a dry run's: lines need not be written at all. */
  readonly keeps: boolean
  /**
   * Appends whole lines, of which `records` are records. Not durable before `durable` says so. Copied at once, unless
   * `release` comes along: the bytes stay then as they are until it is called, which happens once.
   */
  append(replica: ReplicaId, lines: Uint8Array, records: number, release?: () => void): void
  /** Appends `# text`. */
  remark(replica: ReplicaId, text: string): void
  /** Records appended so far. */
  appended(replica: ReplicaId): number
  /** Resolves when everything appended before is on disk; rejects for ever once a write or sync has failed. */
  durable(): Promise<void>
  /** Whether everything appended so far is on disk. */
  readonly settled: boolean
  /** Whether to wait for `room` before more is appended. */
  readonly full: boolean
  room(): Promise<void>
  /** Resolves when some of what was appended has become durable: its bytes are released. */
  progress(): Promise<void>
  close(): Promise<void>
}

/** Oplogs on disk, with group commit. */
export class DurableLog implements SessionLog {
  readonly keeps = true
  readonly #writers: readonly OplogWriter[]
  readonly #group: CommitGroup

  constructor(writers: readonly OplogWriter[], group: CommitGroup) {
    this.#writers = writers
    this.#group = group
  }

  append(replica: ReplicaId, lines: Uint8Array, records: number, release?: () => void): void {
    this.#writers[replica]!.append(lines, records, release)
  }

  remark(replica: ReplicaId, text: string): void {
    this.#writers[replica]!.remark(text)
  }

  appended(replica: ReplicaId): number {
    return this.#writers[replica]!.records
  }

  durable(): Promise<void> {
    return this.#group.durable()
  }

  get settled(): boolean {
    return this.#group.failure === undefined && this.#group.unsyncedBytes === 0
  }

  get full(): boolean {
    return this.#group.full
  }

  room(): Promise<void> {
    return this.#group.room()
  }

  progress(): Promise<void> {
    return this.#group.progress()
  }

  close(): Promise<void> {
    return this.#group.close()
  }
}

/** A dry run's: what is appended goes nowhere, so everything is as durable as it will ever be. */
export class NoLog implements SessionLog {
  readonly #records: number[]
  readonly keeps = false
  readonly settled = true
  readonly full = false

  /** @param records per replica, where its log would go on */
  constructor(records: readonly number[]) {
    this.#records = [...records]
  }

  append(replica: ReplicaId, _lines: Uint8Array, records: number, release?: () => void): void {
    this.#records[replica]! += records
    release?.()
  }

  remark(): void {
    // Nothing is written.
  }

  appended(replica: ReplicaId): number {
    return this.#records[replica]!
  }

  durable(): Promise<void> {
    return Promise.resolve()
  }

  room(): Promise<void> {
    return Promise.resolve()
  }

  progress(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

export interface EpochEvents {
  /** All logs are cut now: what was appended before is durable with this epoch. */
  cut(): void
  durable(): void
  /** Once: nothing more becomes durable. */
  failed(error: MerganserError): void
}

/** The logs of a session; under a dry run, none. */
export function openLog(setup: EngineSetup, logs: readonly OpenedReplicaLog[], events: EpochEvents): SessionLog {
  if (setup.dryRun) {
    return new NoLog(logs.map(({ report }) => report.records))
  }
  const writers = logs.flatMap(({ writer }) => (writer === undefined ? [] : [writer]))
  const { commitMilliseconds, commitBytes } = setup.durability
  const group = new CommitGroup(
    setup.environment,
    writers,
    { intervalMilliseconds: commitMilliseconds, bytes: commitBytes },
    {
      onCut: () => {
        events.cut()
      },
      onDurable: () => {
        events.durable()
      },
      onFailure: (error) => {
        events.failed(error)
      },
    },
  )
  return new DurableLog(writers, group)
}
