// One bench, in the process that `run.mjs` started for it:
//   node measure.mjs NAME SIZES
/** Loaded when they are needed. */
const BENCHES = {
  replay: async (sizes) => (await import('./replay.mjs')).replay(sizes),
  merge: async (sizes) => (await import('./merge.mjs')).merge(sizes),
  sets: async (sizes) => (await import('./sets.mjs')).sets(sizes),
  columns: async (sizes) => (await import('./columns.mjs')).columns(sizes),
  values: async (sizes) => (await import('./values.mjs')).values(sizes),
  opening: async (sizes) => (await import('./opening.mjs')).opening(sizes),
  flush: async (sizes) => (await import('./flush.mjs')).flush(sizes),
  'side-by-side': async (sizes) => (await import('./side-by-side.mjs')).sideBySide(sizes),
  starting: async (sizes) => (await import('./starting.mjs')).starting(sizes),
}

const [name, sizes] = process.argv.slice(2)
process.send(await BENCHES[name](JSON.parse(sizes)))
process.disconnect()
