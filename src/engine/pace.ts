import { assert, MerganserError } from '../core/errors.ts'
import type { EngineContext } from './context.ts'

/**
 * Between two blocks of statements: hands over to the logs what is ready, sends gathered look-ups, and waits where the
 * logs or the look-ups are full (I11). Gives a promise only where it has to wait.
 */
export function pace(context: EngineContext): Promise<void> | undefined {
  const { sequencer, reads, state, limits } = context
  sequencer.handOver()
  reads.dispatch()
  reads.check()
  if (state.rows() > limits.memoryRows) throw tooManyRows(context)
  const full = context.log.full || sequencer.outputFull || sequencer.unanswered >= limits.pendingReads || sequencer.held
  return full ? room(context) : undefined
}

/** The session holds as many rows as it may. */
export function tooManyRows({ limits }: EngineContext): MerganserError {
  return new MerganserError('MEMORY_LIMIT', `the session holds more than ${String(limits.memoryRows)} rows`, {
    advice: 'raise limits.memoryRows, or run the script in parts: the next run goes on where this one ended',
  })
}

/** As `pace`, and lets other work in. */
export async function breathe(context: EngineContext): Promise<void> {
  await pace(context)
  await context.yield()
}

async function room(context: EngineContext): Promise<void> {
  const { sequencer, limits } = context
  while (sequencer.unanswered >= limits.pendingReads || (sequencer.held && sequencer.unanswered > 0)) {
    await context.reads.settled(false)
    context.sequencer.handOver()
  }
  if (context.log.full) await context.log.room()
  await context.sequencer.outputRoom()
}

/** Waits until every GET so far is answered and its line handed over. */
export async function answered(context: EngineContext): Promise<void> {
  context.sequencer.handOver()
  while (context.sequencer.unanswered > 0) {
    assert(context.reads.busy || context.reads.failed, 'an unanswered GET is being read')
    await context.reads.settled(false)
    context.sequencer.handOver()
  }
}

/** Resolves when a replica's log is durable up to a record. */
export async function durable(context: EngineContext, replica: number, record: number): Promise<void> {
  const { sequencer, reads, log } = context
  sequencer.handOver()
  while (log.appended(replica) < record) {
    assert(reads.busy || reads.failed, 'log lines wait for nothing but answers')
    await reads.settled(false)
    sequencer.handOver()
  }
  await log.durable()
}
