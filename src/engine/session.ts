import { HybridClock } from '../core/clock.ts'
import { stampText, timeText } from '../core/stamp.ts'
import type { Row } from '../core/row.ts'
import type { ReplicaId, ReplicaState, TableId } from '../core/state.ts'
import type { LaneEvents } from '../lanes/lane.ts'
import { StorePool } from '../lanes/pool.ts'
import { writePositions } from '../oplog/positions.ts'
import { inspectLog } from '../oplog/recover.ts'
import { Catalog } from '../script/catalog.ts'
import { reportForeign, type EngineContext, type Replica } from './context.ts'
import { adopt, type Adoption } from './databases.ts'
import { Engine } from './engine.ts'
import { Journal } from './journal.ts'
import { fastSettings } from './fast-settings.ts'
import { closeLogs, openState, positionsPath, type OpenedState } from './opening.ts'
import { Output } from './output.ts'
import { PositionKeeper } from './position-keeper.ts'
import { encodePositions } from './positions.ts'
import { Reads } from './reads.ts'
import { readBack } from './recovery.ts'
import { makeReplica } from './replica.ts'
import { Counts } from './report.ts'
import { Sequencer } from './sequencer.ts'
import { openLog, type SessionLog } from './session-log.ts'
import type { EngineSetup } from './setup.ts'

/**
 * Opens a session: locks the state directory, reads back what its logs have to say, and starts the clock above
 * everything that was written. Databases are opened when they are first needed, but for those whose contents nothing
 * is known of.
 */
export async function openSession(setup: EngineSetup): Promise<Session> {
  const opened = await openState(setup)
  let session: Session
  let above: bigint
  try {
    const recovered = await recover(setup, opened)
    session = new Session(setup, opened, recovered)
    above = recovered.above
  } catch (error) {
    await closeLogs(opened.logs)
    await opened.release()
    throw error
  }
  try {
    await session.begin(above)
    return session
  } catch (error) {
    // Closing may fail for the same reason; what went wrong first is what matters.
    await session.close().catch(() => undefined)
    throw error
  }
}

interface Recovered {
  readonly catalog: Catalog
  readonly state: ReplicaState
  readonly keeper: PositionKeeper
  /** The greatest time of all logs and databases, as far as the state directory knows. */
  readonly above: bigint
}

/** The replicas' state as the logs and the recorded positions tell it. */
async function recover(setup: EngineSetup, { logs, others }: OpenedState): Promise<Recovered> {
  const names = setup.replicas.map(({ name }) => name)
  const catalog = new Catalog(names, setup.tables, setup.aliases)
  const state = setup.makeState(setup.limits)
  for (const table of setup.tables) state.addTable(table)
  for (const name of names) state.addReplica(name)
  state.fast?.begin(fastSettings(setup, catalog))
  const keeper = new PositionKeeper(
    logs.map(({ name, logId, position }) => ({ name, log: logId, position })),
    others,
  )
  let above = 0n
  for (const [replica, { report, from, position }] of logs.entries()) {
    const target = { catalog, state, replica, count: true }
    const greatest = await readBack(setup.environment.disk, report, from, Infinity, target)
    state.startAt(replica, report.records)
    state.raise(replica, keeper.vector(replica))
    for (const time of [greatest, position?.highWater ?? 0n]) if (time > above) above = time
  }
  state.mark('open')
  return { catalog, state, keeper, above }
}

/** An open session: the engine, and all that must be closed after it. */
export class Session {
  readonly setup: EngineSetup
  readonly engine: Engine
  readonly context: EngineContext
  readonly output: Output | undefined
  readonly #opened: OpenedState
  readonly #pool: StorePool
  readonly #log: SessionLog
  #writing: Promise<void> = Promise.resolve()
  #writeWanted = false
  #writeFailed = false
  /** Every log's header is on disk: positions that name a log which isn't there would keep the next session from opening. */
  #logsNamed = false
  readonly #failed = new AbortController()
  /** Per replica: the change list holds nothing up to this record, which only the log has. */
  readonly #forgotten: number[] = []
  #closing: Promise<void> | undefined

  constructor(setup: EngineSetup, opened: OpenedState, { catalog, state, keeper, above }: Recovered) {
    const { environment, events } = setup
    this.setup = setup
    this.#opened = opened
    this.#pool = new StorePool(environment.threads, setup.workers)
    this.output = setup.sink === undefined ? undefined : new Output(setup.sink, !setup.dryRun)
    this.#log = openLog(setup, opened.logs, {
      cut: () => {
        this.output?.cut()
      },
      durable: () => {
        this.#logsNamed = true
        // Results may have come after the cut, whose records this epoch made durable all the same.
        if (this.#log.settled) this.output?.cut()
        this.output?.release()
        this.#positionsSoon().catch((error: unknown) => {
          // Nothing is lost by it but time at the next opening; said once, and again by what `close` gives.
          if (this.#writeFailed) return
          this.#writeFailed = true
          events.message(`the positions can't be written: ${error instanceof Error ? error.message : String(error)}`)
        })
      },
      failed: (error) => {
        this.#failed.abort(error)
      },
    })
    const sequencer = new Sequencer(setup.replicas.length, this.#log, this.output, state.fast)
    const bound = BigInt(setup.limits.futureSeconds) * 1_000_000_000n
    const replicas: Replica[] = []
    this.context = {
      catalog,
      state,
      clock: new HybridClock(() => environment.clock.nanoseconds(), above, bound),
      wall: environment.clock,
      replicas,
      sequencer,
      journal: new Journal(catalog, sequencer),
      reads: new Reads(state, setup.tables, (of, table, keys) => replicas[of]!.lane.readRows(table, keys), {
        foreign: (replica, foreign) => {
          reportForeign(this.context, replica, foreign)
        },
        met: (time) => {
          this.context.clock.rise(time)
        },
        answered: () => {
          this.context.sequencer.handOver()
        },
      }),
      log: this.#log,
      keeper,
      counts: new Counts(setup.replicas.length),
      unmerged: keeper.unmerged(state),
      conflicts: [],
      foreign: new Set(),
      events,
      limits: setup.limits,
      flushes: setup.flush && !setup.dryRun,
      yield: () => environment.timers.yield(),
    }
    for (const [id, log] of opened.logs.entries()) {
      this.#forgotten.push(log.from)
      const adoption: Adoption = {
        replica: id,
        logId: log.logId,
        records: log.report.records,
        lost: log.report.loss !== undefined,
        acceptLoss: setup.acceptLoss,
        readBack: (from) => this.#readAgain(id, from),
      }
      const opening: LaneEvents['opened'] = (meta, store) => adopt(this.context, adoption, meta, store)
      replicas.push(makeReplica(setup, this.context, this.#pool, id, log, opening))
    }
    this.engine = new Engine(this.context)
  }

  /**
   * Writes the remark that a session began, and sets each replica's floor (I14): none for a database that holds nothing
   * yet. One whose contents nothing is known of is opened and asked now.
   */
  async begin(above: bigint): Promise<void> {
    const { state, keeper, replicas, journal, sequencer, clock } = this.context
    const { environment, dryRun } = this.setup
    if (!dryRun) {
      journal.remarkAll(
        `session of ${environment.processes.self} began at ${timeText(environment.clock.nanoseconds())}`,
      )
      sequencer.handOver()
    }
    clock.refresh()
    // A new log's identity is on disk before a database learns of it.
    await this.#log.durable()
    await Promise.all(
      replicas.map(async ({ id, lane, flusher, absent }) => {
        if (await absent()) {
          if (flusher.position > 0) await this.#refill(id)
          return
        }
        if (above > 0n) state.floor(id, above)
        if (!keeper.opened[id]) await lane.open()
      }),
    )
  }

  /** Aborted once the logs have failed: nothing more is acknowledged, and who waits for further input needn't. */
  get failed(): AbortSignal {
    return this.#failed.signal
  }

  /** Writes down the positions as they are now; durable on return. */
  writePositions(): Promise<void> {
    return this.#positionsSoon()
  }

  /**
   * Closes databases, threads, logs and the lock, in this order; what was appended is made durable first. Idempotent.
   * Rejects with the first thing that went wrong, after all was closed.
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#closeAll())
  }

  /** The database that held a part of the log is gone: it gets everything again. */
  async #refill(id: ReplicaId): Promise<void> {
    const { flusher, name } = this.context.replicas[id]!
    flusher.setBack(0)
    this.context.events.message(`${name}: the database is gone; it gets all rows of the oplog again`)
    await this.#readAgain(id, 0)
  }

  /** Reads a log's records after `from` of which the change list holds nothing: rows that the database lacks. */
  async #readAgain(id: ReplicaId, from: number): Promise<void> {
    const upTo = this.#forgotten[id]!
    const { disk } = this.setup.environment
    if (from >= upTo) return
    const report = await inspectLog(disk, this.setup.stateDirectory, this.#opened.logs[id]!.name, { from })
    const { catalog, state, reads } = this.context
    const restored = (table: TableId, key: readonly string[], row: Row) => {
      reads.restored(id, table, key, row)
    }
    await readBack(disk, report, from, upTo, { catalog, state, replica: id, count: false, restored })
  }

  /** One writing at a time; what comes meanwhile is covered by the next. */
  #positionsSoon(): Promise<void> {
    if (this.setup.dryRun || this.#writeWanted) return this.#writing
    this.#writeWanted = true
    this.#writing = this.#writing
      .catch(() => undefined)
      .then(() => {
        this.#writeWanted = false
        return this.#positionsNow()
      })
    return this.#writing
  }

  async #positionsNow(): Promise<void> {
    if (!this.#logsNamed) return
    const { keeper, replicas, state, clock } = this.context
    const records = this.#opened.logs.map((_, id) => this.#durableRecords(id))
    keeper.durable(records)
    for (const { id, flusher } of replicas) {
      const needed = Math.min(flusher.position, keeper.leastSeen(id))
      state.forget(id, needed)
      this.#forgotten[id] = Math.max(this.#forgotten[id]!, needed)
    }
    const flushed = replicas.map(({ id }) => this.#flushed(id, records[id]!))
    const content = encodePositions(keeper.snapshot(records, flushed, clock.last))
    await writePositions(this.setup.environment.disk, positionsPath(this.setup.stateDirectory), content)
  }

  #durableRecords(id: ReplicaId): number {
    const { writer, report } = this.#opened.logs[id]!
    return writer?.durableRecords ?? report.records
  }

  /**
   * Up to which record of its log the database holds everything. Records that change no row count as flushed when they
   * are made; those behind a GET that is never answered don't get into the log.
   */
  #flushed(id: ReplicaId, durable: number): number {
    return Math.min(this.context.replicas[id]!.flusher.position, durable)
  }

  async #closeAll(): Promise<void> {
    const failures: unknown[] = []
    const attempt = (work: Promise<unknown>) => work.catch((error: unknown) => failures.push(error))
    await attempt(this.#lastLines())
    await Promise.all(this.context.replicas.map((replica) => attempt(this.#closeReplica(replica))))
    await attempt(this.#pool.close())
    await attempt(this.#positionsSoon())
    await attempt(this.#log.close())
    await attempt(this.output?.written() ?? Promise.resolve())
    await attempt(this.#opened.release())
    if (failures.length > 0) throw failures[0] as Error
  }

  async #lastLines(): Promise<void> {
    this.context.sequencer.handOver()
    await this.#log.durable()
  }

  async #closeReplica({ id, name, lane, flusher }: Replica): Promise<void> {
    // What is being tried again isn't waited for.
    lane.abort()
    await flusher.stop()
    if (!this.setup.dryRun && flusher.failure === undefined) {
      const highWater = stampText({ time: this.context.clock.last, origin: name })
      // Only a hint for the next opening: without it more is flushed again than had to be.
      const position = this.#flushed(id, this.#durableRecords(id))
      await lane.writeMeta({ inUse: false, position, highWater }).catch(() => undefined)
    }
    await lane.close()
  }
}
