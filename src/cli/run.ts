import { Option, type Command } from 'commander'
import { MerganserError } from '../core/errors.ts'
import type { Report } from '../engine/report.ts'
import type { Session } from '../engine/session.ts'
import { ending } from './ending.ts'
import { Failures } from './failures.ts'
import { inputsOf, type Input } from './inputs.ts'
import { addSessionOptions, examples, nonEmpty, type SessionOptions } from './options.ts'
import { checkOutputs, writeOutput } from './outputs.ts'
import { writePlan } from './plan.ts'
import { startProgress } from './progress.ts'
import { loadConfiguration, withSession } from './session.ts'
import type { Shell } from './shell.ts'
import { showReport } from './summary.ts'

interface RunOptions extends SessionOptions {
  readonly fresh?: boolean
  readonly keepGoing?: boolean
  readonly dryRun?: boolean
  readonly plan?: string
  readonly flush: boolean
  readonly acceptLoss?: boolean
  readonly report?: string
  readonly quiet?: boolean
}

export function runCommand(program: Command, shell: Shell): void {
  const command = program
    .command('run')
    .description('run scripts of operations over the replicas')
    .argument('[files...]', 'scripts, run in order; - or none is standard input')
  addSessionOptions(command)
    .addOption(new Option('--fresh', 'archive the old state, then begin anew').conflicts('dryRun'))
    .option('--keep-going', 'go on after errors in a script, and count them')
    .option('--dry-run', 'do everything in memory and write nothing; say what would be written')
    .option('--plan <file>', 'with --dry-run: write what would be written as a script', nonEmpty)
    .option('--no-flush', 'write oplogs only; the next run or `merganser sync` flushes')
    .option('--accept-loss', 'go on with what damaged or missing oplogs left')
    .option('--report <file>', 'write the report as JSON', nonEmpty)
    .option('--quiet', 'show no results, no progress and no summary; errors always')
    .addHelpText(
      'after',
      examples([
        ['merganser run morning.in evening.in', 'run two scripts, one after the other'],
        ['generate | merganser run --quiet', 'run standard input'],
        ['merganser run --dry-run --plan plan.in x.in', 'see what a script would write'],
        ['merganser run --fresh --report r.json x.in', 'begin anew, and keep the report'],
      ]) +
        `

Results (GET lines) go to standard output, everything else to standard error.
Exit status: 0 done, 1 an expectation failed, 2 the input is wrong, 3 a database is away or refused,
4 the state on disk is damaged or locked, 130 interrupted.`,
    )
    .action((files: string[], options: RunOptions) => run(shell, files, options))
}

/** What came of a run; its script may have ended with an error, and there is a report all the same. */
interface Outcome {
  report?: Report
  error?: unknown
}

async function run(shell: Shell, files: readonly string[], options: RunOptions): Promise<void> {
  const started = performance.now()
  if (options.plan !== undefined && options.dryRun !== true) {
    throw new MerganserError('USAGE', '--plan is what a --dry-run would write', { advice: 'add --dry-run' })
  }
  const inputs = await inputsOf(files)
  await checkOutputs(shell, [options.report, options.plan], files)
  const config = await loadConfiguration(shell, options)
  const dryRun = options.dryRun ?? false
  shell.takeInterrupts('interrupted: ending in order; once more ends at once')
  const failures = new Failures(shell)
  const setup = {
    dryRun,
    flush: options.flush,
    fresh: options.fresh ?? false,
    acceptLoss: options.acceptLoss ?? false,
    ...(options.quiet === true ? {} : { sink: (bytes: Uint8Array) => shell.write(bytes) }),
    events: failures,
  }
  const outcome: Outcome = {}
  try {
    await withSession(shell, config, setup, (session) => execute(shell, session, inputs, options, started, outcome))
  } catch (error) {
    failures.end()
    if (outcome.error === undefined) outcome.error = error
    else if (!sameMessage(outcome.error, error)) shell.problem(error)
  }
  failures.end()
  const { report, error } = outcome
  if (report !== undefined) {
    if (options.report !== undefined) await writeOutput(shell, options.report, `${JSON.stringify(report, null, 2)}\n`)
    await showReport(shell, report, { ...options, operations: true, flushed: options.flush && !dryRun })
  }
  if (error !== undefined) shell.problem(error)
  if (shell.interrupted.aborted) shell.problem(interrupted(dryRun))
}

function sameMessage(a: unknown, b: unknown): boolean {
  return a === b || (a instanceof Error && b instanceof Error && a.message === b.message)
}

function interrupted(dryRun: boolean): MerganserError {
  if (dryRun) return new MerganserError('INTERRUPTED', 'the dry run was interrupted; nothing was written')
  return new MerganserError('INTERRUPTED', 'the run was interrupted; what was acknowledged is durable', {
    advice: 'the next run or `merganser sync` flushes what the databases lack',
  })
}

/** The scripts, then the end of the session. An error of a script is kept: what came before it is flushed too. */
async function execute(
  shell: Shell,
  session: Session,
  inputs: readonly Input[],
  options: RunOptions,
  started: number,
  outcome: Outcome,
): Promise<void> {
  try {
    await runScripts(shell, session, inputs, options)
  } catch (error) {
    if (!(error instanceof MerganserError) || error.code === 'BUG') throw error
    if (error.code !== 'INTERRUPTED') outcome.error = error
  }
  const seconds = () => (performance.now() - started) / 1000
  outcome.report = await ending(shell, session, seconds, options.quiet ?? false)
  if (options.plan !== undefined && !shell.interrupted.aborted) await writePlan(shell, session, options.plan)
}

async function runScripts(
  shell: Shell,
  session: Session,
  inputs: readonly Input[],
  options: RunOptions,
): Promise<void> {
  const { runScript } = await import('../engine/run-script.ts')
  const sizes = inputs.map(({ bytes }) => bytes)
  const total = sizes.reduce((sum, bytes) => (sum === undefined || bytes === undefined ? undefined : sum + bytes), 0)
  const progress = await startProgress(shell, { unit: 'lines', total, quiet: options.quiet ?? false })
  const before = { lines: 0, bytes: 0 }
  // One who waits for an answer before he says more would wait for ever where the logs have failed.
  const waiting = AbortSignal.any([shell.interrupted, session.failed])
  try {
    for (const { file, bytes, chunks, reader } of inputs) {
      if (shell.interrupted.aborted) return
      let lines = 0
      const exited = await runScript(
        session,
        { file, chunks: chunks(waiting), ...(reader === undefined ? {} : { reader: reader() }) },
        {
          keepGoing: options.keepGoing ?? false,
          signal: shell.interrupted,
          progress: (at) => {
            lines = at.lines
            progress.update(before.bytes + at.bytes, before.lines + at.lines)
          },
        },
      )
      if (exited) return
      before.lines += lines
      before.bytes += bytes ?? 0
    }
  } finally {
    progress.stop()
  }
}
