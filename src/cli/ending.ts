import type { Report } from '../engine/report.ts'
import type { Session } from '../engine/session.ts'
import { startProgress } from './progress.ts'
import type { Shell } from './shell.ts'

/** Milliseconds between two looks at how far the flushes have come. */
const LOOK = 200

/**
 * The final flush, with progress, and the report. Ctrl-C ends the waiting: everything is durable by then, and what the
 * databases lack is flushed another time.
 * @param seconds since the command began
 */
export async function ending(shell: Shell, session: Session, seconds: () => number, quiet: boolean): Promise<Report> {
  const { finish } = await import('../engine/finish.ts')
  const signal = shell.interrupted
  if (signal.aborted) return await finish(session, seconds, false)
  const stop = await watchFlushes(shell, session, quiet)
  try {
    const whole = finish(session, seconds)
    // Where the interrupt comes first, closing makes it fail, and that is no news.
    whole.catch(() => undefined)
    const report = await Promise.race([whole, aborted(signal)])
    return report ?? (await finish(session, seconds, false))
  } finally {
    stop()
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    signal.addEventListener(
      'abort',
      () => {
        resolve(undefined)
      },
      { once: true },
    )
  })
}

/** Shows how far the flushes have come; the function that it gives ends it. */
async function watchFlushes(shell: Shell, session: Session, quiet: boolean): Promise<() => void> {
  const { state, replicas, counts, flushes } = session.context
  if (!flushes) return () => undefined
  const flushed = () => counts.replicas.reduce((sum, replica) => sum + replica.flushed, 0)
  const first = flushed()
  const pending = replicas.map(({ id, flusher }) => state.pending(id, flusher.position))
  const total = pending.flat().reduce((sum, rows) => sum + rows, 0)
  const progress = await startProgress(shell, { unit: 'rows flushed', total, quiet })
  const timer = setInterval(() => {
    progress.update(flushed() - first, flushed() - first)
  }, LOOK)
  return () => {
    clearInterval(timer)
    progress.stop()
  }
}
