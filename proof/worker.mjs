/**
 * The other end of `spread.mjs`: runs each seed that comes. `runOne` gives `{ figures, injected, failure? }`: sums by
 * name, and `{ invariant, message, again }` of what was found. Ends when the parent has no seed any more.
 */
export function runSeeds(runOne) {
  // Ctrl-C reaches all processes of the terminal: the parent says when to end.
  process.on('SIGINT', () => {})
  process.on('message', async (seed) => {
    const { figures, injected, failure } = await runOne(seed)
    const memory = process.resourceUsage().maxRSS * 1024
    process.send({ figures, injected, memory, failure })
  })
}
