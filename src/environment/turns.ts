/** Steps between two turns of the event loop: so that signals and messages of other threads are met in time. */
const STEPS = 1_000

/**
 * Calls `step` again and again until it gives false: between two calls every callback of a settled promise has run.
 * Rejects with what it throws. What the simulation is driven by.
 */
export function inTurns(step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let steps = 0
    const next = () => {
      try {
        if (!step()) {
          resolve()
          return
        }
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)))
        return
      }
      if (++steps % STEPS === 0) setImmediate(next)
      else void settled.then(later)
    }
    // A tick that a callback of a promise asks for comes when no such callback is left: far cheaper than a turn.
    const later = () => {
      process.nextTick(next)
    }
    setImmediate(next)
  })
}

const settled = Promise.resolve()
