import { MerganserError } from '../core/errors.ts'
import { parseTime, timeText } from '../core/stamp.ts'
import type { Json } from '../oplog/positions.ts'

/** A row that its database can't hold (I8): it stays in cache and oplog. */
export interface Quarantined {
  readonly table: string
  /** The key as a script spells it. */
  readonly key: string
  readonly reason: string
  /** Its registers are in the oplog after this record: the oplog is read back from here while it is quarantined. */
  readonly since: number
}

/** All that is kept of a replica beside its oplog and its database. */
export interface ReplicaPosition {
  /** The id of its oplog. */
  readonly log: string
  /** Records in the oplog when this was written; it has no fewer. */
  readonly records: number
  /** The greatest time that its database may hold. */
  readonly highWater: bigint
  /** The database holds the log up to this record. */
  readonly flushed: number
  /** Whether the database was opened for this log: else it is asked when a session opens. */
  readonly opened: boolean
  /** Per replica, how far this one has seen the other's log, and that log's id. */
  readonly seen: ReadonlyMap<string, { readonly log: string; readonly position: number }>
  /** The version vector. */
  readonly vector: ReadonlyMap<string, bigint>
  readonly quarantined: readonly Quarantined[]
}

export type Positions = ReadonlyMap<string, ReplicaPosition>

export function encodePositions(positions: Positions): Json {
  const replicas = [...positions].map(([name, position]) => [
    name,
    {
      log: position.log,
      records: position.records,
      highWater: timeText(position.highWater),
      flushed: position.flushed,
      opened: position.opened,
      seen: Object.fromEntries(
        [...position.seen].map(([other, { log, position: n }]) => [other, { log, position: n }]),
      ),
      vector: Object.fromEntries([...position.vector].map(([origin, time]) => [origin, timeText(time)])),
      quarantined: position.quarantined.map(({ table, key, reason, since }) => ({ table, key, reason, since })),
    },
  ])
  return { replicas: Object.fromEntries(replicas) as Json }
}

/** Throws OPLOG_DAMAGED where the content isn't what `encodePositions` writes. */
export function decodePositions(content: Json, path: string): Positions {
  try {
    const replicas = Object.entries(record(record(content)['replicas']))
    return new Map(replicas.map(([name, value]) => [name, decodeReplica(record(value))]))
  } catch (error) {
    throw new MerganserError('OPLOG_DAMAGED', `the positions are unreadable: ${String(error)}`, {
      place: { file: path },
      advice: 'run with --accept-loss to set the positions back; nothing in the oplogs is lost by that',
    })
  }
}

function decodeReplica(value: Record<string, unknown>): ReplicaPosition {
  return {
    log: text(value['log']),
    records: count(value['records']),
    highWater: time(value['highWater']),
    flushed: count(value['flushed']),
    opened: value['opened'] === true,
    seen: new Map(
      Object.entries(record(value['seen'])).map(([other, entry]) => {
        const { log, position } = record(entry)
        return [other, { log: text(log), position: count(position) }]
      }),
    ),
    vector: new Map(Object.entries(record(value['vector'])).map(([origin, entry]) => [origin, time(entry)])),
    quarantined: (value['quarantined'] as unknown[]).map((entry) => {
      const { table, key, reason, since } = record(entry)
      return { table: text(table), key: text(key), reason: text(reason), since: count(since) }
    }),
  }
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('not an object')
  return value as Record<string, unknown>
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('not a text')
  return value
}

function count(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new TypeError('not a count')
  return value
}

function time(value: unknown): bigint {
  const parsed = parseTime(text(value))
  if (parsed === undefined) throw new TypeError('not a time')
  return parsed
}
