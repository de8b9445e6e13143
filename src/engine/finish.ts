import { ExitStatus, MerganserError } from '../core/errors.ts'
import type { Digest, ReplicaId } from '../core/state.ts'
import type { EngineContext, Replica } from './context.ts'
import { answered } from './pace.ts'
import { oplogPath } from './replica.ts'
import type { PlannedRows, ReplicaReport, Report } from './report.ts'
import type { Session } from './session.ts'
import { flushAll } from './undo.ts'

/** Keys that one look-up before a digest asks for. */
const LOOKUP = 10_000

/**
 * The end of a session's work: every GET answered, the final flush of every replica, all of it durable; then what was
 * done. A database that stays away is reported, not thrown: its rows are kept in its oplog.
 * @param flush false after an interruption: the next run flushes
 */
export async function finish(session: Session, seconds: () => number, flush = true): Promise<Report> {
  const { context } = session
  const unanswered = await lastAnswers(context)
  if (context.flushes && flush) {
    context.state.mark('commit')
    await flushAll(context)
  }
  await lastLines(context)
  const digests = new Map<Replica, Record<string, Digest> | undefined>()
  for (const replica of context.replicas) {
    digests.set(replica, flush && unanswered === undefined ? await digestsOf(context, replica) : undefined)
  }
  if (context.flushes && flush) {
    // A database that was opened only now may have turned out to lack rows.
    await flushAll(context)
    await lastLines(context)
  }
  return report(session, digests, unanswered, seconds())
}

async function lastLines({ sequencer, log }: EngineContext): Promise<void> {
  sequencer.handOver()
  await log.durable()
}

/** Waits for the answers of all GETs; gives the error of a database because of which there is none. */
async function lastAnswers(context: EngineContext): Promise<MerganserError | undefined> {
  try {
    await answered(context)
    return undefined
  } catch (error) {
    if (!context.reads.failed || !(error instanceof MerganserError) || error.exitStatus !== ExitStatus.database)
      throw error
    return error
  }
}

/** The digests of a replica's tables; undefined where its database can't be asked for what is missing. */
async function digestsOf(context: EngineContext, replica: Replica): Promise<Record<string, Digest> | undefined> {
  const { state, reads, catalog } = context
  try {
    for (;;) {
      const keys = state.unresolved(replica.id, LOOKUP)
      if (keys.length === 0) break
      // It was waited for long enough.
      if (replica.flusher.failure !== undefined) return undefined
      await reads.resolve(replica.id, keys)
    }
  } catch (error) {
    if (!(error instanceof MerganserError)) throw error
    context.events.message(`${replica.name}: no digest, its database can't be asked: ${error.message}`)
    return undefined
  }
  return Object.fromEntries(catalog.tables.map((table, id) => [table.name, state.digest(replica.id, id)]))
}

function report(
  session: Session,
  digests: ReadonlyMap<Replica, Record<string, Digest> | undefined>,
  unanswered: MerganserError | undefined,
  seconds: number,
): Report {
  const { context, setup } = session
  const { counts } = context
  const replicas = context.replicas.map((replica): ReplicaReport => {
    const { flusher, id, name, type, lane } = replica
    const failure = flusher.failure ?? (unanswered?.place.replica === name ? unanswered : undefined)
    return {
      ...counts.replicas[id]!,
      name,
      type,
      records: context.state.records(id),
      oplog: setup.dryRun ? undefined : oplogPath(setup, name),
      pending: context.state.pending(id, flusher.position).reduce((sum, rows) => sum + rows, 0),
      retries: lane.retries,
      behind: behind(context, id),
      digests: digests.get(replica),
      quarantined: [...context.keeper.quarantined[id]!.values()],
      failure: failure === undefined ? undefined : { code: failure.code, message: failure.message },
    }
  })
  const converged = isConverged(replicas, context.flushes)
  return {
    statements: counts.statements,
    found: counts.found,
    lookups: counts.lookups,
    conflicts: counts.conflicts,
    listedConflicts: context.conflicts,
    twins: counts.twins,
    undoneRows: counts.undoneRows,
    expectations: counts.expectations,
    expectationsFailed: counts.expectationsFailed,
    errors: counts.errors,
    replicas,
    converged,
    seconds,
    exitStatus: exitStatus(context, replicas),
    plan: setup.dryRun ? planned(context) : undefined,
  }
}

function isConverged(replicas: readonly ReplicaReport[], flushes: boolean): boolean {
  const [first] = replicas
  const same = replicas.every(({ digests }) => {
    return digests !== undefined && JSON.stringify(digests) === JSON.stringify(first!.digests)
  })
  const whole = replicas.every(({ quarantined, behind }) => quarantined.length === 0 && behind.length === 0)
  return same && whole && replicas.every(({ pending }) => pending === 0 || !flushes)
}

/** Digests cover what this session has met; what it only read back from a log may be new to others. */
function behind({ replicas, keeper, unmerged, counts }: EngineContext, replica: ReplicaId): string[] {
  // A FULL_SYNC has walked all of it, even where nothing was left to be taken, and so no position moved.
  if (counts.statements.fullSync > 0) return []
  return unmerged
    .filter(({ into, from, upTo }) => into === replica && keeper.seen(into, from) < upTo)
    .map(({ from }) => replicas[from]!.name)
}

function exitStatus(context: EngineContext, replicas: readonly ReplicaReport[]): ExitStatus {
  const { counts } = context
  const failed = replicas.flatMap(({ failure }) => (failure === undefined ? [] : [failure]))
  const status = Math.max(
    ExitStatus.done,
    counts.expectationsFailed > 0 ? ExitStatus.difference : 0,
    counts.statements.fullSync > 0 && replicas.some(({ quarantined }) => quarantined.length > 0)
      ? ExitStatus.difference
      : 0,
    counts.errors > 0 ? ExitStatus.input : 0,
    ...failed.map(({ code, message }) => new MerganserError(code, message).exitStatus),
  )
  return status as ExitStatus
}

/** What a dry run would have written: rows per replica and table. */
function planned(context: EngineContext): PlannedRows[] {
  return context.replicas.flatMap(({ id, name, flusher }) =>
    context.state
      .pending(id, flusher.position)
      .map((rows, table) => ({ replica: name, table: context.catalog.tables[table]!.name, rows }))
      .filter(({ rows }) => rows > 0),
  )
}
