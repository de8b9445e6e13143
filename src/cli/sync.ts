import type { Command } from 'commander'
import type { Report } from '../engine/report.ts'
import { MerganserError } from '../core/errors.ts'
import { ending } from './ending.ts'
import { addSessionOptions, examples, nonEmpty, type SessionOptions } from './options.ts'
import { checkOutputs, writeOutput } from './outputs.ts'
import { loadConfiguration, withSession } from './session.ts'
import type { Shell } from './shell.ts'
import { showReport } from './summary.ts'

interface SyncOptions extends SessionOptions {
  readonly acceptLoss?: boolean
  readonly report?: string
  readonly quiet?: boolean
}

export function syncCommand(program: Command, shell: Shell): void {
  const command = program.command('sync').description('flush into the databases what they lack, and do nothing else')
  addSessionOptions(command)
    .option('--accept-loss', 'go on with what damaged or missing oplogs left')
    .option('--report <file>', 'write the report as JSON', nonEmpty)
    .option('--quiet', 'show no progress and no summary; errors always')
    .addHelpText(
      'after',
      examples([
        ['merganser run --no-flush x.in', 'write the oplogs only'],
        ['merganser sync', 'flush what is pending'],
      ]),
    )
    .action((options: SyncOptions) => sync(shell, options))
}

async function sync(shell: Shell, options: SyncOptions): Promise<void> {
  const started = performance.now()
  await checkOutputs(shell, [options.report], [])
  const config = await loadConfiguration(shell, options)
  shell.takeInterrupts('interrupted: ending in order; once more ends at once')
  const report = await withSession(
    shell,
    config,
    { acceptLoss: options.acceptLoss ?? false },
    (session): Promise<Report> => {
      return ending(shell, session, () => (performance.now() - started) / 1000, options.quiet ?? false)
    },
  )
  if (options.report !== undefined) await writeOutput(shell, options.report, `${JSON.stringify(report, null, 2)}\n`)
  await showReport(shell, report, { ...options, operations: false, flushed: true })
  if (!shell.interrupted.aborted) return
  shell.problem(
    new MerganserError('INTERRUPTED', 'the flush was interrupted', {
      advice: 'the next run or `merganser sync` flushes what the databases lack',
    }),
  )
}
