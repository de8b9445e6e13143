import type { ReplicaId } from '../core/state.ts'
import { readableConflict, type EngineContext, type Origin } from './context.ts'
import { breathe } from './pace.ts'

/**
 * Rows and bytes that one step of a merge walks: between steps the logs get room and answers come in. Few enough that
 * the rows of a step stay in the processor's cache from its first look at them to the last.
 */
const STEP = { rows: 4_000, bytes: 16 * 1024 * 1024 }
/** The same where the state writes the lines itself. */
const LOGGED_STEP = { rows: 20_000, bytes: 16 * 1024 * 1024 }
/** Conflicts that a merge's remarks list; the others are counted. */
const LISTED = 10_000
/** Conflicts that a report lists. */
const REPORTED = 1_000

function place({ file, line }: Origin): string {
  if (file === undefined) return 'a program'
  return line === undefined ? JSON.stringify(file) : `${JSON.stringify(file)}:${String(line)}`
}

/** `into` takes what `from` has and `into` hasn't seen; gives the rows taken. */
async function mergeOne(context: EngineContext, into: ReplicaId, from: ReplicaId, origin: Origin): Promise<number> {
  const { state, keeper, journal, counts, catalog } = context
  const first = keeper.seen(into, from)
  const knowing = keeper.knowing(into, state)
  let position = first
  let rows = 0
  let conflicts = 0
  let twins = 0
  let remarked = 0
  const bounds = state.fast === undefined ? STEP : LOGGED_STEP
  for (let done = false; !done;) {
    const before = state.records(into)
    const step = state.merge(into, from, position, bounds, ...conflictsWanted(context, remarked))
    if (step.incomplete !== undefined) {
      await context.reads.resolve(into, step.incomplete)
      continue
    }
    const records = state.records(into) - before
    if (step.logged === true) journal.stateRows(into, records)
    else journal.rows(into, step.took, records)
    for (const conflict of step.listed) {
      const readable = readableConflict(context, into, conflict)
      if (step.remarked === undefined) {
        journal.remark(into, `conflict ${readable.key} ${readable.column} won ${readable.won} lost ${readable.lost}`)
      }
      if (context.conflicts.length < REPORTED) context.conflicts.push(readable)
    }
    remarked += step.remarked ?? step.listed.length
    conflicts += step.conflicts
    twins += step.twins
    rows += step.rows
    const stuck = !step.done && step.position === position && records === 0
    position = step.position
    done = step.done
    if (!done) await breathe(context)
    // No room for its lines: what was handed over must become durable first.
    if (stuck) await context.log.progress()
  }
  counts.conflicts += conflicts
  counts.twins += twins
  counts.replicas[into]!.merged += rows
  if (position > first) {
    const range = `${String(first + 1)}..${String(position)}`
    journal.remark(
      into,
      `merge ${catalog.replicas[from]!} ${range} took ${String(rows)} conflicts ${String(conflicts)} at ${place(origin)}`,
    )
    keeper.merged(into, from, position, knowing, state)
  }
  return rows
}

/** Conflicts to list and remarks to write: as many as the merge's remarks and the report still have room for. */
function conflictsWanted({ conflicts, journal, state }: EngineContext, remarked: number): [number, number] {
  const remarks = journal.keepsLines ? Math.max(0, LISTED - remarked) : 0
  const report = REPORTED - conflicts.length
  return state.fast === undefined ? [Math.max(remarks, report), 0] : [report, remarks]
}

/** MERGE: one-way; then `into`'s flush is scheduled. */
export async function merge(context: EngineContext, into: ReplicaId, from: ReplicaId, origin: Origin): Promise<void> {
  context.counts.statements.merge++
  await mergeOne(context, into, from, origin)
  if (context.flushes) context.replicas[into]!.flusher.schedule()
}

/** FULL_SYNC: all into the first, the first into all: they converge. Then all flushes are scheduled. */
export async function fullSync(context: EngineContext, origin: Origin): Promise<void> {
  context.counts.statements.fullSync++
  for (const { id } of context.replicas.slice(1)) await mergeOne(context, 0, id, origin)
  for (const { id } of context.replicas.slice(1)) await mergeOne(context, id, 0, origin)
  context.state.mark('fullSync')
  context.journal.remarkAll(`FULL_SYNC at ${place(origin)}`)
  if (context.flushes) for (const { flusher } of context.replicas) flusher.schedule()
}
