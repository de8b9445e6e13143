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
  'flush-postgres': async (sizes) => (await import('./servers-flush-postgres.mjs')).flushPostgres(sizes),
  'flush-mongodb': async (sizes) => (await import('./servers-flush-mongodb.mjs')).flushMongodb(sizes),
  'flush-hive': async (sizes) => (await import('./servers-flush-hive.mjs')).flushHive(sizes),
  reads: async (sizes) => (await import('./servers-reads.mjs')).reads(sizes),
  copy: async (sizes) => (await import('./servers-copy.mjs')).copy(sizes),
  diff: async (sizes) => (await import('./diff.mjs')).diff(sizes),
  starting: async (sizes) => (await import('./starting.mjs')).starting(sizes),
}

const [name, sizes] = process.argv.slice(2)
process.send(await BENCHES[name](JSON.parse(sizes)))
process.disconnect()
