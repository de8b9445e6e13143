import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { InvalidArgumentError, type Command } from 'commander'
import type { Config } from '../config/config.ts'
import { ExitStatus, MerganserError } from '../core/errors.ts'
import type { FailedSeed, Totals } from '../simulation/campaign.ts'
import {
  FAULT_KINDS,
  MOST_REPLICAS,
  planOf,
  withSteps,
  type FaultKind,
  type Plan,
  type PlanOptions,
} from '../simulation/plan.ts'
import type { Outcome } from '../simulation/run.ts'
import type { Step } from '../simulation/steps.ts'
import { addConfigOptions, countArgument, examples, nonEmpty, type ConfigOptions } from './options.ts'
import { startProgress } from './progress.ts'
import { loadConfiguration } from './session.ts'
import type { Shell } from './shell.ts'
import { counted, several } from './table.ts'

interface SimulateOptions extends ConfigOptions {
  readonly replicas: number
  readonly operations: number
  readonly seeds: number
  readonly firstSeed: number
  readonly seed?: number
  readonly faults: ReadonlySet<FaultKind>
  readonly trace?: boolean
  readonly script?: string
  readonly oplogs?: string
  readonly corpus?: string
  readonly shrink: boolean
  readonly quiet?: boolean
}

const MOST_SEED = 2 ** 31
/** Runs that making a failure shorter may take. */
const SHRINK_RUNS = 400
/** Where failures are kept, if this directory is there. */
const CORPUS = 'simulation/corpus'

export function simulateCommand(program: Command, shell: Shell): void {
  const command = program
    .command('simulate')
    .description('run the engine in a simulated world with faults, and check what it promises')
    .option('--replicas <n>', 'replicas of each run', countArgument(2, MOST_REPLICAS), 3)
    .option('--operations <n>', 'statements of each run', countArgument(1, 1_000_000), 1000)
    .option('--seeds <n>', 'how many seeds', countArgument(1, MOST_SEED), 100)
    .option('--first-seed <n>', 'the first of them', countArgument(0, MOST_SEED), 1)
    .option('--seed <n>', 'only this one', countArgument(0, MOST_SEED))
    .option('--faults <kinds>', `all, none, or some of ${FAULT_KINDS.join(',')}`, faultKinds, new Set(FAULT_KINDS))
    .option('--trace', 'print all that happens, on standard output (with --seed)')
    .option('--script <file>', 'the statements of this script instead of random ones', nonEmpty)
    .option('--oplogs <dir>', 'the operations of the oplogs in this directory instead of random ones', nonEmpty)
    .option('--corpus <dir>', `where failures are kept (${CORPUS}, if it is there)`, nonEmpty)
    .option('--no-shrink', "don't look for the shortest script that fails")
    .option('--quiet', 'show no progress and no summary; failures always')
  addConfigOptions(command)
    .addHelpText(
      'after',
      examples([
        ['merganser simulate --seeds 1000', 'a thousand worlds, each with faults of its own'],
        ['merganser simulate --seed 42 --trace', 'all that happens in one of them'],
        ['merganser simulate --faults none --script script.in', 'a script of your own'],
      ]) +
        `

Everything that happens follows from the seed: statements, delays, lost and repeated messages, crashes, faults of the
disk, steps of the clock. When faults have stopped, everything must drain and converge. The same seed gives the same
trace on every machine.
Exit status: 0 every promise was kept, 1 one was broken: its seed and the shortest script that shows it are printed.`,
    )
    .action((options: SimulateOptions) => simulateAll(shell, options))
}

function faultKinds(text: string): ReadonlySet<FaultKind> {
  if (text === 'all') return new Set(FAULT_KINDS)
  if (text === 'none') return new Set()
  const names = text.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !(FAULT_KINDS as readonly string[]).includes(name))
  if (unknown !== undefined) throw new InvalidArgumentError(`There is no kind of fault ${unknown}.`)
  return new Set(names as FaultKind[])
}

async function simulateAll(shell: Shell, options: SimulateOptions): Promise<void> {
  if (options.trace === true && options.seed === undefined) {
    throw new MerganserError('USAGE', '--trace needs --seed', { advice: 'name one seed' })
  }
  if (options.script !== undefined && options.oplogs !== undefined) {
    throw new MerganserError('USAGE', '--script and --oplogs both say what is run')
  }
  shell.takeInterrupts('interrupted: ending after this seed')
  const given = await givenSteps(shell, options)
  if (options.trace === true) await traceOne(shell, options, given)
  else await runSeeds(shell, options, given)
}

interface Given {
  readonly config: Config
  readonly steps: readonly Step[]
}

/** The steps of a script or of oplogs, over the configured tables and replicas. */
async function givenSteps(shell: Shell, options: SimulateOptions): Promise<Given | undefined> {
  const { script, oplogs } = options
  if (script === undefined && oplogs === undefined) return undefined
  const config = await loadConfiguration(shell, options)
  const { stepsOf } = await import('../simulation/steps.ts')
  if (script === undefined) return { config, steps: stepsOf(await linesOfLogs(resolve(shell.cwd, oplogs!), config)) }
  return { config, steps: stepsOf(await readText(resolve(shell.cwd, script))) }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const code = (error as { code?: string }).code ?? 'unknown'
    throw new MerganserError('BAD_INPUT_FILE', `the file can't be read: ${code}`, {
      place: { file: path },
      cause: error,
    })
  }
}

/** What replicas wrote themselves, in the order of its stamps, as a script without them. */
async function linesOfLogs(directory: string, config: Config): Promise<string> {
  const names = config.replicas.map(({ name }) => name)
  const found: { readonly stamp: string; readonly line: string }[] = []
  const files = await readdir(directory).catch(() => [] as string[])
  for (const file of files) {
    const name = /^oplogs\.([a-z_0-9]+)(?:\.\d+)?$/.exec(file)?.[1]?.toUpperCase()
    if (name === undefined || !names.includes(name)) continue
    for (const line of (await readText(join(directory, file))).split('\n')) {
      // A stamp without an origin is of the replica itself.
      const match = /^(\d{4}-\d\d-\d\d [\d:.]+Z), (.*)$/.exec(line)
      if (match !== null) found.push({ stamp: match[1]!, line: match[2]! })
    }
  }
  if (found.length === 0) {
    throw new MerganserError('BAD_INPUT_FILE', 'there are no operations in oplogs of the configured replicas', {
      place: { file: directory },
    })
  }
  return found
    .sort((a, b) => (a.stamp < b.stamp ? -1 : 1))
    .map(({ line }) => line)
    .join('\n')
}

/** The plan of a seed; with steps of the user's own the rest of it is as drawn. */
async function planFor(seed: number, options: SimulateOptions, given: Given | undefined): Promise<Plan> {
  const { Seeds } = await import('../simulation/seeds.ts')
  const plan = planOf(new Seeds(seed), planOptions(options, given))
  if (given === undefined) return plan
  const names = given.config.replicas.map(({ name }) => name)
  return withSteps(plan, new Seeds(seed), names, given.config.tables, given.steps, options.faults)
}

function planOptions({ replicas, operations, faults }: SimulateOptions, given: Given | undefined): PlanOptions {
  return given === undefined
    ? { replicas, operations, faults }
    : { replicas: given.config.replicas.length, operations: 1, faults }
}

async function traceOne(shell: Shell, options: SimulateOptions, given: Given | undefined): Promise<void> {
  const seed = options.seed!
  const [{ simulate }, { productionState }] = await Promise.all([import('../simulation/run.ts'), import('../index.ts')])
  const outcome = await simulate(seed, await planFor(seed, options, given), productionState, true)
  await shell.print(`${outcome.trace!.join('\n')}\n`)
  if (options.quiet !== true) shell.say(`seed ${String(seed)}: trace ${outcome.digest}`)
  if (outcome.failure !== undefined) tellFailure(shell, outcome)
}

async function runSeeds(shell: Shell, options: SimulateOptions, given: Given | undefined): Promise<void> {
  const [{ campaign }, { productionState }] = await Promise.all([
    import('../simulation/campaign.ts'),
    import('../index.ts'),
  ])
  const firstSeed = options.seed ?? options.firstSeed
  const seeds = options.seed === undefined ? options.seeds : 1
  const begun = performance.now()
  const progress = await startProgress(shell, { unit: 'seeds', total: seeds, quiet: options.quiet ?? false })
  const totals = await campaign({
    firstSeed,
    seeds,
    plan: (seed) => planFor(seed, options, given),
    makeState: productionState,
    shrinkRuns: options.shrink ? SHRINK_RUNS : 0,
    signal: shell.interrupted,
    progress: (sofar) => {
      progress.update(sofar.seeds, sofar.seeds)
    },
  })
  progress.stop()
  for (const failed of totals.failed) await tellFailed(shell, options, failed)
  if (options.quiet !== true) summarize(shell, totals, (performance.now() - begun) / 1000)
}

function tellFailure(shell: Shell, { seed, failure }: Outcome): void {
  shell.raise(ExitStatus.difference)
  shell.say(shell.colors.red(`seed ${String(seed)}: ${failure!.invariant}: ${failure!.message}`))
  if (failure!.stack !== undefined) shell.say(failure!.stack)
}

/** The seed, the shortest script that fails, and where both are kept. */
async function tellFailed(
  shell: Shell,
  options: SimulateOptions,
  { plan, outcome, shrunk }: FailedSeed,
): Promise<void> {
  const [{ scriptOf }, { regressionText }] = await Promise.all([
    import('../simulation/steps.ts'),
    import('../simulation/corpus.ts'),
  ])
  tellFailure(shell, outcome)
  const least = shrunk ?? { plan, outcome, runs: 0 }
  if (shrunk !== undefined) {
    shell.say(`the shortest script that fails so, after ${several(shrunk.runs, 'run')}:`)
    await shell.print(scriptOf(least.plan.steps))
  }
  const directory = resolve(shell.cwd, options.corpus ?? CORPUS)
  const there = await stat(directory).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (!there) {
    if (options.corpus !== undefined) shell.say(`${options.corpus} is no directory: the failure was not kept`)
    return
  }
  const path = join(directory, `seed-${String(outcome.seed)}-${outcome.failure!.invariant.toLowerCase()}.json`)
  await writeFile(path, regressionText(least.outcome, least.plan))
  shell.say(`kept in ${path}`)
}

function summarize(shell: Shell, totals: Totals, seconds: number): void {
  const { seeds, statements, results, sessions, events, failed, injected } = totals
  const rate = (seeds / Math.max(seconds, 0.001)).toFixed(1)
  shell.say(`${several(seeds, 'seed')} in ${seconds.toFixed(1)} s, ${rate} a second`)
  shell.say(
    `${counted(statements)} statements, ${counted(results)} results, ${counted(sessions)} sessions, ` +
      `${counted(events)} events, ${counted(Math.round(totals.seconds / 3600))} hours of their time`,
  )
  const faults = [...injected]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([fault, count]) => `${fault} ${counted(count)}`)
  if (faults.length > 0) shell.say(`injected: ${faults.join(', ')}`)
  shell.say('checked: I1 to I15, once everything had drained, and at each opening')
  if (failed.length === 0) shell.say(shell.colors.green('every promise was kept'))
  else shell.say(shell.colors.red(`${several(failed.length, 'seed')} broke a promise`))
}
