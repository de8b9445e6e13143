/**
 * What reliability is measured by: what is tried, how often in `npm test` (`ci`) and in a nightly run, and what may be
 * found. `rows` says which rows of the proofs belong to it, by their names: their runs are added up, or with `each` all
 * of them must reach it. `part` names the part of a run that belongs to it.
 */
export const BARS = [
  {
    test: 'laws of merge, total order, codec round trips; few distinct stamps, to force ties',
    ...{ ci: 100_000, nightly: 5_000_000, unit: 'cases each', rows: /^laws/ },
  },
  {
    test: 'model-based commands with crash and restart',
    ...{ ci: 10_000, nightly: 500_000, unit: 'runs', rows: /^model-based commands/ },
  },
  {
    test: 'simulation: 3 to 5 replicas, 1,000 operations a seed, every fault',
    ...{ ci: 2_000, nightly: 200_000, unit: 'seeds', part: 'simulation', rows: /^simulation/ },
  },
  {
    test: 'planted bugs, each switched on alone',
    ...{ ci: 20, nightly: 20, unit: 'bugs', rows: /^planted bugs/i },
  },
  {
    test: 'kill -9 while writing, then reopen',
    ...{ ci: 200, nightly: 10_000, unit: 'kills', rows: /^kill -9/ },
  },
  {
    test: 'power loss: a loop-mounted file system, shut down under the writer',
    ...{ ci: 50, nightly: 5_000, unit: 'runs', rows: /^power loss/ },
  },
  {
    test: 'each of the first 60 write, fsync and rename calls failing',
    ...{ ci: 240, nightly: 2_000, unit: 'runs', rows: /^each of the first calls/ },
  },
  {
    test: 'every bit flip and every truncation of a log of 4 KiB',
    ...{ ci: 31_500, nightly: 31_500, unit: 'changed logs', rows: /^every (?:bit flip|truncation)/ },
  },
  { test: 'disk full', ci: 20, nightly: 500, unit: 'runs', rows: /^disk full/ },
  {
    test: 'random and mutated input: parser, log decoder, configuration and other readers',
    ...{ ci: 7_000_000, nightly: 100_000_000, unit: 'inputs', rows: /input/ },
  },
  ...[
    ['PostgreSQL', 20],
    ['MongoDB', 20],
    ['Hive', 5],
  ].map(([name, ci]) => ({
    test: `a proxy with faults between Merganser and ${name}`,
    ...{ ci, nightly: 500, unit: 'runs', rows: new RegExp(`^${name}: a proxy with faults`) },
  })),
  {
    test: 'hostile keys and values at each real database',
    ...{ ci: 500, each: true, nightly: 20_000, unit: 'each', rows: /: hostile keys/ },
  },
  { test: 'load for 60 s', ci: 1, nightly: 1, unit: 'runs', rows: /: load$/ },
  {
    test: 'the kernel against the model, random operations',
    ...{ ci: 500_000, nightly: 100_000_000, unit: 'operations', part: 'kernel', rows: /^the kernel/ },
  },
]

/** The rows of proofs that belong to each bar, and those that belong to none. A row belongs to the first that takes it. */
export function rowsByBar(rows) {
  const taken = new Map(BARS.map((bar) => [bar, []]))
  const others = []
  for (const row of rows) {
    const bar = BARS.find((one) => one.rows.test(row.name))
    if (bar === undefined) others.push(row)
    else taken.get(bar).push(row)
  }
  return { taken, others }
}
