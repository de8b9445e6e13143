/**
 * Calls `step` in a turn of the event loop of its own, again and again, until it gives false: between two calls every
 * callback of a settled promise has run. Rejects with what it throws. What the simulation is driven by.
 */
export function inTurns(step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = () => {
      try {
        if (step()) setImmediate(next)
        else resolve()
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)))
      }
    }
    setImmediate(next)
  })
}
