import { keyAt, type KeyBatch } from '../core/batch.ts'
import type { ReplicaId, ReplicaState } from '../core/state.ts'
import type { Positions, Quarantined, ReplicaPosition } from './positions.ts'

/** A merge whose lines aren't durable yet. */
interface Pending {
  readonly into: ReplicaId
  readonly from: ReplicaId
  /** `into` has seen `from` up to here … */
  readonly position: number
  /** … once `into`'s log is durable up to here. */
  readonly records: number
  readonly vector: ReadonlyMap<string, bigint>
}

/** Record counts and version vectors as they are now. */
export type MergedState = Pick<ReplicaState, 'records' | 'vector'>

/** What is known of one replica when a session opens. */
export interface KeptReplica {
  readonly name: string
  readonly log: string
  readonly position: ReplicaPosition | undefined
}

/** The last record of a log that is a change, which one behind `seen` is: after it there are only GETs. */
function lastChange(state: Pick<ReplicaState, 'changed' | 'records'>, of: ReplicaId, seen: number): number {
  let [least, most] = [seen + 1, state.records(of)]
  while (least < most) {
    const middle = Math.floor((least + most) / 2)
    if (state.changed(of, middle)) least = middle + 1
    else most = middle
  }
  return most
}

/** `into` lacks changes among the first `upTo` records of `from`'s log. */
export interface Unmerged {
  readonly into: ReplicaId
  readonly from: ReplicaId
  readonly upTo: number
}

const nameOf = (table: string, key: string) => `${table} ${key}`

/**
 * Who has seen whom how far: as the session works on (`seen`), and as it may be written down (`snapshot`): only what
 * the logs of both sides hold durably (I6).
 */
export class PositionKeeper {
  readonly #replicas: readonly KeptReplica[]
  readonly #seen: number[][]
  readonly #durableSeen: number[][]
  readonly #vectors: ReadonlyMap<string, bigint>[]
  #pending: Pending[] = []
  readonly quarantined: Map<string, Quarantined>[]
  readonly opened: boolean[]
  readonly #others: Positions

  /** @param others what is recorded of replicas that aren't configured: written down again as it is */
  constructor(replicas: readonly KeptReplica[], others: Positions = new Map()) {
    this.#replicas = replicas
    this.#others = others
    this.#seen = replicas.map(({ position }) =>
      replicas.map(({ name, log }) => {
        const seen = position?.seen.get(name)
        return seen !== undefined && seen.log === log ? seen.position : 0
      }),
    )
    this.#durableSeen = this.#seen.map((row) => [...row])
    this.#vectors = replicas.map(({ position }) => position?.vector ?? new Map<string, bigint>())
    this.opened = replicas.map(({ position }) => position?.opened ?? false)
    this.quarantined = replicas.map(({ position }) => {
      return new Map((position?.quarantined ?? []).map((row) => [nameOf(row.table, row.key), row]))
    })
  }

  /** The id of a replica's oplog. */
  logId(of: ReplicaId): string {
    return this.#replicas[of]!.log
  }

  /** How far `into` has seen `from`. */
  seen(into: ReplicaId, from: ReplicaId): number {
    return this.#seen[into]![from]!
  }

  /** `into` knows all of `from`'s log up to `position`, whatever way it came to know it. */
  saw(into: ReplicaId, from: ReplicaId, position: number, state: MergedState): void {
    this.#note(into, from, position, state)
  }

  /** Who has seen every change of a replica so far. */
  knowing(of: ReplicaId, state: Pick<ReplicaState, 'changed'>): ReplicaId[] {
    return [...this.#replicas.keys()].filter((other) => other !== of && !state.changed(of, this.seen(other, of)))
  }

  /** What is still to be merged. */
  unmerged(state: Pick<ReplicaState, 'changed' | 'records'>): Unmerged[] {
    return this.#seen.flatMap((row, into) =>
      row.flatMap((seen, from) =>
        into !== from && state.changed(from, seen) ? [{ into, from, upTo: lastChange(state, from, seen) }] : [],
      ),
    )
  }

  /**
   * `into` has merged `from` up to `position`. That has passed on more:
   *
   * - what `from` had seen of others is in its log, so `into` has seen it now;
   * - what `into` took is known to whoever had seen all of `into` before, and has seen as much of `from`: to `from`
   *   itself, mostly.
   *
   * So a FULL_SYNC leaves nothing that anyone has still to see, and the next session has nothing to read back.
   * @param knowing who had seen every change of `into` before the merge
   */
  merged(into: ReplicaId, from: ReplicaId, position: number, knowing: readonly ReplicaId[], state: MergedState): void {
    this.#note(into, from, position, state)
    for (const other of this.#replicas.keys()) {
      if (other === into) continue
      const indirect = this.#seen[from]![other]!
      if (other !== from && indirect > this.#seen[into]![other]!) this.#note(into, other, indirect, state)
      const knows = knowing.includes(other) && (other === from || this.#seen[other]![from]! >= position)
      if (knows) this.#note(other, into, state.records(into), state)
    }
  }

  #note(into: ReplicaId, from: ReplicaId, position: number, state: MergedState): void {
    this.#seen[into]![from] = position
    this.#pending.push({ into, from, position, records: state.records(into), vector: state.vector(into) })
  }

  /** The logs are durable up to these records. */
  durable(records: readonly number[]): void {
    this.#pending = this.#pending.filter((merge) => {
      if (records[merge.into]! < merge.records || records[merge.from]! < merge.position) return true
      this.#durableSeen[merge.into]![merge.from] = merge.position
      this.#vectors[merge.into] = merge.vector
      return false
    })
  }

  /** The least record of a replica's log that some other replica has still to see. */
  leastSeen(from: ReplicaId): number {
    return this.#durableSeen.reduce(
      (least, row, into) => (into === from ? least : Math.min(least, row[from]!)),
      Infinity,
    )
  }

  /** A row that its database can't hold. */
  quarantine(replica: ReplicaId, row: Quarantined): void {
    const rows = this.quarantined[replica]!
    const name = nameOf(row.table, row.key)
    rows.set(name, { ...row, since: Math.min(row.since, rows.get(name)?.since ?? row.since) })
  }

  /**
   * Rows that a database took are quarantined no more.
   * @param rejected rows of the batch that it didn't take
   */
  accepted(
    replica: ReplicaId,
    table: string,
    batch: KeyBatch,
    rejected: ReadonlySet<number>,
    keyText: (key: readonly string[]) => string,
  ): void {
    const quarantined = this.quarantined[replica]!
    for (let i = 0; quarantined.size > 0 && i < batch.rows; i++) {
      if (!rejected.has(i)) quarantined.delete(nameOf(table, keyText(keyAt(batch, i))))
    }
  }

  vector(replica: ReplicaId): ReadonlyMap<string, bigint> {
    return this.#vectors[replica]!
  }

  /**
   * What may be written down when the logs are durable up to `records`.
   * @param flushed per replica, how far its database holds its log
   */
  snapshot(records: readonly number[], flushed: readonly number[], highWater: bigint): Positions {
    const names = new Set(this.#replicas.map(({ name }) => name))
    return new Map([
      ...this.#others,
      ...this.#replicas.map(({ name, log, position }, replica): [string, ReplicaPosition] => [
        name,
        {
          log,
          records: records[replica]!,
          highWater,
          flushed: Math.min(flushed[replica]!, records[replica]!),
          opened: this.opened[replica]!,
          seen: new Map([
            ...[...(position?.seen ?? [])].filter(([other]) => !names.has(other)),
            ...this.#replicas.flatMap((other, from) =>
              from === replica
                ? []
                : [[other.name, { log: other.log, position: this.#durableSeen[replica]![from]! }] as const],
            ),
          ]),
          vector: this.#vectors[replica]!,
          quarantined: [...this.quarantined[replica]!.values()],
        },
      ]),
    ])
  }
}
