import { stat } from 'node:fs/promises'
import type { Config } from '../config/config.ts'
import { MerganserError } from '../core/errors.ts'
import type { TableSchema } from '../core/table.ts'
import type { Report } from '../engine/report.ts'
import type { Difference } from '../verify/difference.ts'
import { FilePart } from './repair-files.ts'
import { compared, type SideConfig } from './repair-sides.ts'
import { withSession } from './session.ts'
import type { Shell } from './shell.ts'

/** Bytes of a plan that one session runs: its rows are in memory meanwhile. */
const PART = 64 * 1024 * 1024
/** Rows that are written back at once. */
const WRITTEN_BACK = 50_000

/** Runs a plan over the two replicas, part by part, each flushed in the end. Errors of single lines are shown. */
export async function runPlan(
  shell: Shell,
  config: Config,
  sides: readonly [SideConfig, SideConfig],
  path: string,
): Promise<void> {
  const { size } = await stat(path)
  for (let start = 0; start < size && !shell.interrupted.aborted;) {
    const part = new FilePart(path, start, PART)
    const report = await withSession(
      shell,
      { ...config, replicas: [...sides] },
      {},
      async (session): Promise<Report> => {
        const [{ runScript }, { finish }] = await Promise.all([
          import('../engine/run-script.ts'),
          import('../engine/finish.ts'),
        ])
        await runScript(session, { file: path, chunks: part.chunks() }, { keepGoing: true, signal: shell.interrupted })
        return await finish(session, () => 0, !shell.interrupted.aborted)
      },
    )
    tellFailures(shell, report)
    start = part.end
  }
  if (shell.interrupted.aborted) throw new MerganserError('INTERRUPTED', 'the repair was interrupted')
}

function tellFailures(shell: Shell, { replicas }: Report): void {
  for (const { name, failure, quarantined } of replicas) {
    for (const { table, key, reason } of quarantined.slice(0, 20))
      shell.say(`${name} can't hold ${table} ${key}: ${reason}`)
    if (failure !== undefined) {
      shell.problem(new MerganserError(failure.code, failure.message, { place: { replica: name } }))
    }
  }
}

/**
 * Compares the two again, and writes back rows that a database has lost and its cache took for flushed. Gives the rows
 * that still differ.
 */
export async function compareAgain(
  shell: Shell,
  config: Config,
  sides: readonly [SideConfig, SideConfig],
  tables: readonly TableSchema[],
): Promise<number> {
  let different = 0
  for (const table of tables) {
    let left = await leftIn(shell, config, sides, table)
    while (left.lacking.length > 0 && (await wroteBack(shell, config, sides, table, left.lacking))) {
      left = await leftIn(shell, config, sides, table)
    }
    different += left.rows
  }
  return different
}

interface LeftRows {
  readonly rows: number
  /** The first of those that stamps settle. */
  readonly lacking: readonly Difference[]
}

async function leftIn(
  shell: Shell,
  config: Config,
  sides: readonly [SideConfig, SideConfig],
  table: TableSchema,
): Promise<LeftRows> {
  const { lacksSomething } = await import('../verify/repair.ts')
  return await compared(shell, config, sides, table, async (differences) => {
    const lacking: Difference[] = []
    let rows = 0
    for await (const difference of differences) {
      rows++
      if (lacking.length < WRITTEN_BACK && lacksSomething(difference)) lacking.push(difference)
    }
    return { rows, lacking }
  })
}

/** Whether any row changed. */
async function wroteBack(
  shell: Shell,
  config: Config,
  sides: readonly [SideConfig, SideConfig],
  table: TableSchema,
  lacking: readonly Difference[],
): Promise<boolean> {
  const { writeBack } = await import('../verify/repair.ts')
  const written = await withSession(shell, { ...config, replicas: [...sides] }, {}, (session) =>
    writeBack(session, session.context.catalog.table(table.name)!, lacking),
  )
  return written > 0
}
