import { rowsByBar } from './bars.mjs'

const PLACES = { tests: 'The proofs that are tests', kernel: 'The kernel', simulation: 'The simulation' }
const INVARIANTS = Array.from({ length: 15 }, (_, i) => `I${String(i + 1)}`)

/** `PROOF.md`, of the results of a run alone. */
export function document(results) {
  const { parts } = results
  return `${[
    '# What was proved',
    head(results),
    verdict(parts),
    '## The bar, and what was run',
    bars(parts),
    ...plantedBugs(parts.tests?.rows ?? []),
    ...(parts.simulation === undefined ? [] : simulation(parts.simulation)),
    ...(parts.kernel === undefined ? [] : kernel(parts.kernel)),
    ...(parts.tests === undefined ? [] : tests(parts.tests)),
    '## Invariants, and what holds each',
    ...invariants(parts),
    '## Again',
    again(parts),
  ].join('\n\n')}\n`
}

function head({ machine: { node, platform, cores, memory }, seconds, ...from }) {
  return `Written by \`npm run proof -- --report\`, from the results of the run of ${origin(from)}: it took ${time(seconds)} with
Node ${node}, ${platform}, ${String(cores)} cores, ${gigabytes(memory)} of memory. [docs/simulation.md](docs/simulation.md) says how the simulated world
works, [ARCHITECTURE.md](ARCHITECTURE.md) what the invariants promise.`
}

const origin = ({ date, commit, changed }) =>
  `${date.replace('T', ' ').replace('Z', ' UTC')}${commit === undefined ? '' : ` (commit ${commit}${changed ? ', with changes' : ''})`}`

function verdict(parts) {
  const lines = Object.entries(parts).map(([name, part]) => {
    const { failures, interrupted, seconds } = part
    const how =
      failures.length > 0 ? '**failed**' : interrupted ? 'interrupted; nothing was found' : 'nothing was found'
    return `- ${PLACES[name]}: ${how}, ${time(seconds)}, from seed ${String(part.firstSeed)}; ${origin(part)}`
  })
  const failures = Object.values(parts).flatMap((part) =>
    part.failures.map(({ file, name, seed, message, again: how }) => {
      const what = [file, name, seed === undefined ? '' : `seed ${String(seed)}`].filter((text) => text)
      return `\n${what.join(', ')}${how === undefined ? '' : `; again: \`${how}\``}\n\n\`\`\`\n${message}\n\`\`\``
    }),
  )
  return [...lines, ...failures].join('\n')
}

function bars(parts) {
  const { taken } = rowsByBar(parts.tests?.rows ?? [])
  const lines = [...taken].map(([bar, rows]) => {
    const part = bar.part === undefined ? undefined : parts[bar.part]
    const partRuns = bar.unit === 'operations' ? part?.figures.operations : part?.runs
    const counts = [...rows.map(({ runs }) => runs), ...(partRuns === undefined ? [] : [partRuns])]
    const run = bar.each ? Math.min(...counts) : counts.reduce((sum, count) => sum + count, 0)
    const failures = rows.reduce((sum, row) => sum + row.failures, part?.failures.length ?? 0)
    const held = failures > 0 ? '**no**' : counts.length === 0 ? 'not run' : run >= bar.ci ? 'yes' : 'too few'
    const shown = counts.length === 0 ? '' : grouped(run)
    return [
      bar.test,
      bar.unit,
      grouped(bar.ci),
      grouped(bar.nightly),
      shown,
      counts.length > 0 ? String(failures) : '',
      held,
    ]
  })
  return table(['what', '', 'bar', 'nightly', 'run', 'failures', 'held'], lines)
}

function plantedBugs(rows) {
  const planting = rows.filter(({ found }) => found !== undefined)
  if (planting.length === 0) return []
  const found = planting.flatMap((row) => row.found)
  const planted = planting.reduce((sum, { runs }) => sum + runs, 0)
  return [
    '## Planted bugs',
    'Each changes what the production code does, and was switched on alone, in a build that never ships.',
    `Planted bugs found: ${String(found.length)} of ${String(planted)}`,
    table(
      ['bug', 'seed', 'broke'],
      found.map(({ bug, seed, invariant }) => [bug, String(seed), invariant]),
    ),
  ]
}

function simulation(part) {
  const { runs, seconds, figures, injected, processes, memory } = part
  const last = part.firstSeed + runs - 1
  const { statements, results, sessions, events } = figures
  const hours = figures['seconds of their time'] / 3600
  return [
    '## The simulation',
    `${grouped(runs)} seeds, ${grouped(part.firstSeed)} to ${grouped(last)}, of 1,000 statements and 3 to 5 replicas each, with every fault: ${(runs / seconds).toFixed(1)} a
second in ${String(processes)} processes, of which none had more than ${megabytes(memory)} of memory. They made ${grouped(statements)} statements, ${grouped(results)} results,
${grouped(sessions)} sessions and ${grouped(events)} events, in ${grouped(Math.round(hours))} hours of their time.`,
    table(['injected', 'times'], counts(injected)),
  ]
}

function kernel({ runs, seconds, firstSeed, figures, processes, memory }) {
  const { operations, ...sessions } = figures
  return [
    '## The kernel against the model',
    `${grouped(operations)} random operations in ${grouped(runs)} sessions, seeds ${grouped(firstSeed)} to ${grouped(firstSeed + runs - 1)}, on both: ${grouped(Math.round(operations / seconds))} a second in
${String(processes)} processes, of which none had more than ${megabytes(memory)} of memory.`,
    table(['', 'times'], counts(sessions)),
  ]
}

function tests({ rows, times, files, passed, failures, skipped, missing, seconds }) {
  const { others } = rowsByBar(rows)
  const lines = rows.map(({ name, invariants: held, runs, failures: found, firstSeed }) => [
    ...[name, held.join(', '), grouped(runs), String(found), firstSeed === undefined ? '' : grouped(firstSeed)],
  ])
  const left = [
    ...skipped.map(({ file, name, message }) => `- ${file}: ${name}: ${message || 'no reason given'}`),
    ...Object.entries(missing).map(([name, reason]) => `- no ${name}: ${reason}`),
  ]
  return [
    '## The proofs that are tests',
    `${grouped(passed)} tests of ${String(files)} files passed, ${String(failures.length)} failed, in ${time(seconds)}, with ${times === 1 ? 'as many runs as' : `${String(times)} times the runs of`} \`npm test\`.${others.length === 0 ? '' : ' Some hold more than the bar asks for.'}`,
    table(['proof', 'invariants', 'runs', 'failures', 'first seed'], lines),
    '### Injected and met',
    rows.flatMap(details).join('\n') || 'Nothing.',
    '### Skipped',
    left.length === 0 ? 'Nothing.' : left.join('\n'),
  ]
}

function details({ name, injected = {}, figures = {} }) {
  const met = counts(injected).map(([fault, times]) => `${fault} ${times}`)
  const measured = Object.entries(figures).map(([what, value]) => {
    return `${what}: ${typeof value === 'number' ? grouped(value) : value}`
  })
  const all = [...(met.length === 0 ? [] : [met.join(', ')]), ...measured]
  return all.length === 0 ? [] : [`- ${name}: ${all.join('; ')}`]
}

function invariants(parts) {
  const listed = parts.tests?.invariants
  return INVARIANTS.map((invariant) => {
    const checked = (parts.simulation?.checkers ?? []).filter((checker) => checker.invariant === invariant)
    const rows = (parts.tests?.rows ?? []).filter((row) => row.invariants.includes(invariant))
    const lines = [
      ...checked.map(({ says }) => `- the simulation, ${grouped(parts.simulation.runs)} seeds: ${says}`),
      ...rows.map(({ name, runs }) => `- ${name}: ${grouped(runs)} runs`),
      ...(listed?.[invariant] ?? []).map(({ name, files }) => `- ${name} (${filesText(files)})`),
    ]
    return `### ${invariant}\n\n${lines.join('\n') || 'Nothing was run.'}`
  })
}

/** Shared suites run in many files. */
const filesText = (files) =>
  files.length > 3 ? `${files.slice(0, 2).join(', ')} and ${String(files.length - 2)} more` : files.join(', ')

function again({ simulation: part, kernel: other }) {
  const lines = ['npm run proof -- --time 1h --report    # with other seeds']
  if (part !== undefined) lines.push(`npm run proof -- --only simulation ${seedsOf(part)}`)
  if (other !== undefined) lines.push(`npm run proof -- --only kernel ${seedsOf(other)}`)
  return `\`\`\`sh\n${lines.join('\n')}\n\`\`\``
}

const seedsOf = ({ firstSeed, runs }) => `--first-seed ${String(firstSeed)} --seeds ${String(runs)}`

/** Names and their counts, by name. */
function counts(sums) {
  const byName = ([a], [b]) => (a < b ? -1 : 1)
  return Object.entries(sums)
    .sort(byName)
    .map(([name, times]) => [name, grouped(times)])
}

function table(heads, rows) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Also of fractions: `1,234.5`. */
function grouped(number) {
  const [whole, rest] = String(Number.isInteger(number) ? number : Number(number.toFixed(2))).split('.')
  const text = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  return rest === undefined ? text : `${text}.${rest}`
}

function time(seconds) {
  if (seconds < 120) return `${seconds.toFixed(1)} s`
  return seconds < 7200 ? `${(seconds / 60).toFixed(1)} minutes` : `${(seconds / 3600).toFixed(1)} hours`
}

const megabytes = (bytes) => `${String(Math.round(bytes / 2 ** 20))} MiB`
const gigabytes = (bytes) => `${String(Math.round(bytes / 2 ** 30))} GiB`
