import { MerganserError } from '../core/errors.ts'
import type { ReplicaId } from '../core/state.ts'
import { parseStamp } from '../core/stamp.ts'
import type { StoreMeta } from '../connectors/connector.ts'
import type { RemoteStore } from '../lanes/pool.ts'
import type { EngineContext } from './context.ts'

/** What a session knows of one replica's log when its database is opened. */
export interface Adoption {
  readonly replica: ReplicaId
  readonly logId: string
  /** Records of the log when the session began. */
  readonly records: number
  /** The log was opened with accepted loss: the database may hold what it lacks. */
  readonly lost: boolean
  readonly acceptLoss: boolean
  /** Reads the replica's log back from a record on, for rows that the database turned out to lack. */
  readonly readBack: (from: number) => Promise<void>
  /** What the database has known since this session opened it last. */
  left?: StoreMeta | undefined
}

/**
 * Compares what a database knows about its log with what the state directory knows (design section 5): its rows raise
 * floor and clock where they may be newer than the logs, and whatever it lacks is flushed again. Throws OPLOG_DAMAGED
 * where it holds more of the log than there is (I7).
 */
export async function adopt(
  context: EngineContext,
  adoption: Adoption,
  meta: StoreMeta | undefined,
  store: RemoteStore,
): Promise<void> {
  const { replica, logId, left } = adoption
  const { keeper } = context
  const own = meta?.logId === logId
  // Only the connection was lost: the database is as this session left it.
  if (left !== undefined && own && meta.inUse && same(meta, left)) return
  const held = own ? heldOf(context, adoption, meta, left !== undefined) : 0
  await raise(context, adoption, meta, store)
  // Only now: an opening that ends before is as if it had not been.
  adoption.left = { logId, inUse: true, highWater: meta?.highWater ?? '', position: own ? meta.position : 0 }
  keeper.opened[replica] = true
  const { flusher, name } = context.replicas[replica]!
  if (held >= flusher.reached) return
  flusher.setBack(held)
  await adoption.readBack(held)
  context.events.message(`${name}: ${why(meta, own, held)}`)
}

function same(a: StoreMeta, b: StoreMeta): boolean {
  return a.position === b.position && a.highWater === b.highWater
}

/** Up to which record the database surely holds its own log. */
function heldOf(
  context: EngineContext,
  { replica, records, acceptLoss }: Adoption,
  { position }: StoreMeta,
  again: boolean,
): number {
  const { name } = context.replicas[replica]!
  if (position <= (again ? context.state.records(replica) : records)) return position
  const message = `the oplog of ${name} ends at record ${String(records)}, but its database holds it up to record ${String(position)}`
  if (!acceptLoss) {
    throw new MerganserError('OPLOG_DAMAGED', message, {
      place: { replica: name },
      advice: `put the oplog back from a backup, or run with --accept-loss to go on after record ${String(records)}`,
    })
  }
  context.events.message(`${name}: ${message}`)
  return records
}

/** Floor and clock rise above what the database may hold. */
async function raise(
  context: EngineContext,
  { replica, logId, lost }: Adoption,
  meta: StoreMeta | undefined,
  store: RemoteStore,
): Promise<void> {
  const { state, clock, keeper, catalog, events } = context
  const own = meta?.logId === logId
  // Where nobody closed it in order, only the rows themselves say how far they go: unless they are of our log alone.
  const unknown = meta === undefined || (meta.inUse && (!own || lost || keeper.opened[replica] !== true))
  const { name } = context.replicas[replica]!
  const time = parseStamp(unknown ? await store.greatestStamp(catalog.tables) : meta.highWater, name)?.time
  if (time === undefined) return
  clock.rise(time)
  state.floor(replica, time)
  if (own) return
  let rows = 0
  for (const table of catalog.tables) for await (const batch of store.scanRows(table)) rows += batch.rows
  if (rows > 0) {
    events.message(
      `${name}: the database holds ${String(rows)} rows that are older than its oplog: MERGE doesn't move them`,
    )
  }
}

function why(meta: StoreMeta | undefined, own: boolean, held: number): string {
  if (meta === undefined) return 'the database is new or was emptied: it gets all rows of the oplog again'
  if (!own) return 'the database belonged to another oplog: it gets all rows of this one'
  return `the database surely holds the oplog up to record ${String(held)}: what follows is flushed again`
}
