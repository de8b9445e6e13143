import { join } from 'node:path'
import type { ReplicaId } from '../core/state.ts'
import { batchBounds } from '../connectors/connector.ts'
import { Lane, type LaneEvents } from '../lanes/lane.ts'
import type { StorePool } from '../lanes/pool.ts'
import { reportForeign, type EngineContext, type Replica } from './context.ts'
import { Flusher, type FlushEvents } from './flusher.ts'
import { databaseDirectory, type OpenedReplicaLog } from './opening.ts'
import { durable } from './pace.ts'
import type { EngineSetup } from './setup.ts'

/** One replica's lane and flusher. `context` is complete by the time either works. */
export function makeReplica(
  setup: EngineSetup,
  context: EngineContext,
  pool: StorePool,
  id: ReplicaId,
  log: OpenedReplicaLog,
  opened: LaneEvents['opened'],
): Replica {
  const { name, connector, options } = setup.replicas[id]!
  const { environment, tables, dryRun } = setup
  const directory = databaseDirectory(setup.stateDirectory, name)
  const lane = new Lane({
    pool,
    open: {
      type: connector.type,
      options,
      access: dryRun ? 'read' : 'write',
      ...(dryRun
        ? {}
        : { owner: { logId: log.logId, name: environment.processes.self, session: environment.random.hex(16) } }),
      directory,
      replica: name,
    },
    tables,
    retrySeconds: setup.retrySeconds,
    environment,
    events: {
      opened,
      progress: (message) => {
        setup.events.message(`${name}: ${message}`)
      },
    },
  })
  const flusher = new Flusher(
    {
      replica: id,
      state: context.state,
      tables,
      lane,
      reads: context.reads,
      bounds: batchBounds(connector.capabilities),
      clock: environment.clock,
      durable: (of, record) => durable(context, of, record),
      events: flushEvents(context, id),
      yield: () => environment.timers.yield(),
    },
    log.position?.opened === true ? log.position.flushed : 0,
  )
  const absent = () => connector.absent?.(options, directory) ?? Promise.resolve(false)
  const { capabilities, type } = connector
  return { id, name, type, capabilities, lane, flusher, absent }
}

/** The path of a replica's live oplog. */
export const oplogPath = (setup: EngineSetup, name: string) =>
  join(setup.stateDirectory, `oplogs.${name.toLowerCase()}`)

function flushEvents(context: EngineContext, id: ReplicaId): FlushEvents {
  const { counts, journal, catalog, events, keeper } = context
  const name = catalog.replicas[id]!
  return {
    flushed: ({ rows, written, stale, upTo, tries, milliseconds }) => {
      const mine = counts.replicas[id]!
      mine.flushed += rows
      mine.written += written
      mine.stale += stale
      mine.batches++
      mine.flushMilliseconds += milliseconds
      mine.retries += tries - 1
      const what = `rows ${String(rows)} tries ${String(tries)} ms ${milliseconds.toFixed(1)}`
      journal.remark(id, `flush ${String(mine.batches)} upto ${String(upTo)} ${what}`)
    },
    rejected: (_, rejected, since) => {
      for (const { table, key, reason } of rejected) {
        const row = { table: catalog.tables[table]!.name, key: journal.keyText(table, key), reason, since }
        keeper.quarantine(id, row)
        events.message(`${name}: ${row.table} ${row.key} is quarantined: ${reason}`)
      }
    },
    accepted: (_, table, batch, rejected) => {
      keeper.accepted(id, catalog.tables[table]!.name, batch, rejected, (key) => journal.keyText(table, key))
    },
    foreign: (_, foreign) => {
      reportForeign(context, id, foreign)
    },
  }
}
