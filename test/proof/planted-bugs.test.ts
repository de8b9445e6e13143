import { availableParallelism } from 'node:os'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { firstSeed, record, runsOf } from '../support/proof.ts'
import { BUGS } from './planted/list.ts'
import { eachOf, search, searchBug, type Search } from './planted/search.ts'
import { Trees } from './planted/tree.ts'

/** For each bug a seed that found it once, as a hint where to begin. */
const HINTS = new URL('planted/seeds.json', import.meta.url)
/** With MERGANSER_PLANTED_FIND=1 the hints are looked for from seed 1 on, and written anew. */
const FINDING = process.env['MERGANSER_PLANTED_FIND'] === '1'
/** Bugs to look at, where not all: a pattern of their names. */
const ONLY = new RegExp(process.env['MERGANSER_PLANTED_ONLY'] ?? '', 'u')
const SEEDS = runsOf({ ci: 100, nightly: 2_000 })
const AT_A_TIME = Math.min(2, availableParallelism())

const hints = JSON.parse(readFileSync(HINTS, 'utf8')) as Record<string, number>
const bugs = BUGS.filter(({ name }) => ONLY.test(name))
const trees = new Trees()
const searches = new Map<string, Search>()
/** What the same seeds come to without a bug. */
const controls: Search[] = []

function seedsFor(name: string): number[] {
  const seeds = Array.from({ length: SEEDS }, (_, i) => firstSeed() + i)
  const hint = FINDING || firstSeed() !== 1 ? undefined : hints[name]
  return hint === undefined ? seeds : [hint, ...seeds.filter((seed) => seed !== hint)]
}

function tell(name: string, { found, tried, others, cpu }: Search): void {
  const what = found === undefined ? 'not found' : `${found.invariant} by seed ${String(found.seed)}`
  const effort = `${String(tried)} tried, ${String(others.length)} broke otherwise, ${cpu.toFixed(1)} CPU s`
  process.stdout.write(`${what} (${effort}): ${name}\n   ${(found ?? others[0])?.message.slice(0, 150) ?? ''}\n`)
}

beforeAll(async () => {
  await eachOf(bugs, AT_A_TIME, async (bug) => {
    const done = await searchBug(trees, bug, seedsFor(bug.name))
    searches.set(bug.name, done)
    tell(bug.name, done)
  })
  for (const plan of [undefined, 'gets'] as const) {
    const found = bugs.filter((bug) => bug.plan === plan).map(({ name }) => searches.get(name)!.found?.seed)
    const seeds = [...new Set(found.filter((seed) => seed !== undefined))]
    controls.push(await search(trees.plain, seeds, { breaks: [], plan }))
  }
}, 7_200_000)

afterAll(() => {
  trees.close()
  const rows = bugs.flatMap(({ name }) => {
    const found = searches.get(name)?.found
    return found === undefined ? [] : [{ bug: name, seed: found.seed, invariant: found.invariant }]
  })
  process.stdout.write(`Planted bugs found: ${String(rows.length)} of ${String(bugs.length)}\n`)
  if (FINDING) {
    const written = { ...hints, ...Object.fromEntries(rows.map(({ bug, seed }) => [bug, seed])) }
    const known = BUGS.flatMap(({ name }) => (written[name] === undefined ? [] : [[name, written[name]] as const]))
    writeFileSync(HINTS, `${JSON.stringify(Object.fromEntries(known), undefined, 2)}\n`)
  }
  const all = [...searches.values(), ...controls]
  const wrong = controls.flatMap(({ others }) => others)
  const sum = (of: (one: Search) => number) => all.reduce((total, one) => total + of(one), 0)
  record({
    name: 'Planted bugs',
    invariants: [...new Set(rows.map(({ invariant }) => invariant))].sort(),
    runs: bugs.length,
    failures: bugs.length - rows.length + wrong.length,
    firstSeed: firstSeed(),
    figures: {
      'planted bugs found': `${String(rows.length)} of ${String(bugs.length)}`,
      'seeds tried': sum(({ tried }) => tried),
      'CPU seconds': Math.round(sum(({ cpu }) => cpu)),
    },
    found: rows,
  })
})

test.each(bugs)('the simulation finds: $name', ({ name, breaks }) => {
  const { found, tried, others } = searches.get(name)!
  const what = `${String(tried)} seeds tried from ${String(firstSeed())}; others: ${JSON.stringify(others.slice(0, 3))}`
  expect(found, what).toBeDefined()
  expect(breaks).toContain(found!.invariant)
})

test('without a bug, the seeds that found one find nothing', () => {
  expect(controls.flatMap(({ others }) => others)).toEqual([])
})
