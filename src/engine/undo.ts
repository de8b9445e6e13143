import type { ReplicaId, UndoResult } from '../core/state.ts'
import { nextStamp, type EngineContext } from './context.ts'

/** UNDO: takes back the last write of a replica, or of all. */
export async function undo(context: EngineContext, replica: ReplicaId | undefined): Promise<void> {
  const { state, counts, journal, catalog, events } = context
  counts.statements.undo++
  const result = await complete(context, () => state.undo(replica, (of) => nextStamp(context, of)))
  const scope = replica === undefined ? '' : `${catalog.replicas[replica]!}.`
  if (result.writes.length === 0) events.message(`${scope}UNDO: there is nothing to take back`)
  for (const write of result.writes) journal.remark(write.replica, 'UNDO')
  apply(context, result)
}

/** ROLLBACK: takes back all writes since the last point, which is then here. */
export async function rollback(context: EngineContext): Promise<void> {
  const { state, counts, journal } = context
  counts.statements.rollback++
  const result = await complete(context, () => state.rollback((of) => nextStamp(context, of)))
  journal.remarkAll('ROLLBACK')
  apply(context, result)
}

/** COMMIT: sets a point and flushes everything. */
export async function commit(context: EngineContext): Promise<void> {
  context.counts.statements.commit++
  context.state.mark('commit')
  context.journal.remarkAll('COMMIT')
  if (context.flushes) await flushAll(context)
}

/** Waits until every database holds its cache, or its lane has failed. */
export async function flushAll(context: EngineContext): Promise<void> {
  await Promise.all(context.replicas.map(({ flusher }) => flusher.drain()))
}

/** Repeats what needs rows to be looked up first. */
async function complete(context: EngineContext, attempt: () => UndoResult): Promise<UndoResult> {
  for (;;) {
    const result = attempt()
    if (result.incomplete === undefined) return result
    await context.reads.resolve(result.incomplete.replica, result.incomplete.keys)
  }
}

function apply(context: EngineContext, result: UndoResult): void {
  for (const { replica, rows } of result.writes) {
    const undone = rows.reduce((sum, { batch }) => sum + batch.rows, 0)
    context.journal.rows(replica, rows, undone)
    context.counts.undoneRows += undone
  }
}
