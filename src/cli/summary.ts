import { isAbsolute, relative } from 'node:path'
import { MerganserError } from '../core/errors.ts'
import type { ReplicaReport, Report } from '../engine/report.ts'
import { displayText } from '../script/display.ts'
import type { ConfigOptions } from './options.ts'
import type { Shell } from './shell.ts'
import { alignedTable, counted, several, type TableColumn } from './table.ts'

export interface SummaryOptions extends ConfigOptions {
  readonly quiet?: boolean
  /** Whether statements were run. */
  readonly operations: boolean
  /** Whether the databases were to get what was written. */
  readonly flushed: boolean
}

/** Conflicts that are shown one by one. */
const CONFLICTS = 5

/** Shows a report for people, and the problems in it; raises its exit status. */
export async function showReport(shell: Shell, report: Report, options: SummaryOptions): Promise<void> {
  if (options.quiet !== true) {
    const parts = [
      options.operations ? operations(report) : `done in ${report.seconds.toFixed(2)} s`,
      ...conflicts(shell, report, options),
      '',
      await replicaTable(shell, report, options.operations),
      '',
      ...(await plan(report)),
      ...verdict(shell, report, options),
    ]
    shell.say(parts.join('\n'))
  }
  for (const { name, failure } of report.replicas) {
    if (failure === undefined) continue
    const message = failure.message.includes(name) ? failure.message : `${name}: ${failure.message}`
    const advice = 'its rows are kept in the oplog; the next run or `merganser sync` flushes them'
    shell.problem(new MerganserError(failure.code, message, { advice }))
  }
  const quarantined = report.replicas.reduce((sum, replica) => sum + replica.quarantined.length, 0)
  if (report.statements.fullSync > 0 && quarantined > 0) {
    const message = `${several(quarantined, 'row')} can't be held by a database and stayed in cache and oplog`
    const advice = '`merganser status` lists them; change them or the type of the column'
    shell.problem(new MerganserError('NOT_CONVERGED', message, { advice }))
  }
  shell.raise(report.exitStatus)
}

function operations(report: Report): string {
  const { statements } = report
  const found = `${counted(report.found)} found${report.lookups === 0 ? '' : `, ${counted(report.lookups)} looked up`}`
  const kinds: readonly (readonly [number, string, string?])[] = [
    [statements.set, 'SET'],
    [statements.get, 'GET', found],
    [statements.delete, 'DELETE'],
    [statements.merge, 'MERGE'],
    [statements.fullSync, 'FULL_SYNC'],
    [statements.sync, 'SYNC'],
    [statements.undo, 'UNDO'],
    [statements.commit, 'COMMIT'],
    [statements.rollback, 'ROLLBACK'],
  ]
  const done = kinds
    .filter(([count]) => count > 0)
    .map(([count, name, more]) => `${counted(count)} ${name}${more === undefined ? '' : ` (${more})`}`)
  const lines = [`${done.length === 0 ? 'no operations' : done.join(', ')} in ${report.seconds.toFixed(2)} s`]
  if (report.undoneRows > 0) lines.push(`${several(report.undoneRows, 'row')} taken back`)
  if (report.expectations > 0) {
    const failed = report.expectationsFailed
    lines.push(
      `${several(report.expectations, 'expectation')}, ${failed === 0 ? 'all met' : `${counted(failed)} failed`}`,
    )
  }
  if (report.errors > 0) lines.push(`${several(report.errors, 'error')} passed over`)
  return lines.join('\n')
}

function conflicts(shell: Shell, report: Report, options: ConfigOptions): string[] {
  if (report.conflicts === 0) return []
  const { colors } = shell
  const lines = [
    '',
    colors.yellow(`${several(report.conflicts, 'conflict')}: the later write stands, the other is kept in its oplog`),
  ]
  for (const { replica, table, key, column, won, lost } of report.listedConflicts.slice(0, CONFLICTS)) {
    lines.push(
      `  ${replica} ${table} ${displayText(key)} ${column}`,
      `    stands  ${won}`,
      `    lost    ${lost}`,
      `    see     ${colors.dim(`merganser oplog ${replica} --key ${quoted(key)}${sameState(options)}`)}`,
    )
  }
  const more = report.conflicts - Math.min(report.listedConflicts.length, CONFLICTS)
  if (more > 0) lines.push(`  and ${counted(more)} more: see "# conflict" in \`merganser oplog REPLICA\``)
  return lines
}

/** The options that lead another command to the same state. */
function sameState({ config, state }: ConfigOptions): string {
  return [
    config === undefined ? '' : ` --config ${quoted(config)}`,
    state === undefined ? '' : ` --state ${quoted(state)}`,
  ].join('')
}

/** A word for the shell. */
function quoted(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${displayText(text).replaceAll("'", `'\\''`)}'`
}

/** Shown where at least one replica has something there. */
interface Column extends TableColumn {
  readonly of: (replica: ReplicaReport) => string
  readonly optional?: (replica: ReplicaReport) => boolean
}

async function replicaTable(shell: Shell, report: Report, operated: boolean): Promise<string> {
  const { replicas } = report
  const right = 'right' as const
  const all: readonly Column[] = [
    { head: 'replica', of: ({ name }) => name },
    { head: 'merged', align: right, of: ({ merged }) => counted(merged), optional: () => operated },
    { head: 'flushed', align: right, of: ({ flushed }) => counted(flushed) },
    { head: 'stale', align: right, of: ({ stale }) => counted(stale), optional: ({ stale }) => stale > 0 },
    { head: 'retries', align: right, of: ({ retries }) => counted(retries), optional: ({ retries }) => retries > 0 },
    { head: 'foreign', align: right, of: ({ foreign }) => counted(foreign), optional: ({ foreign }) => foreign > 0 },
    {
      head: 'pending',
      align: right,
      of: ({ pending }) => counted(pending),
      optional: ({ pending }) => pending > 0 && report.plan === undefined,
    },
    {
      head: 'quarantined',
      align: right,
      of: ({ quarantined }) => counted(quarantined.length),
      optional: ({ quarantined }) => quarantined.length > 0,
    },
    { head: 'flush time', align: right, of: ({ flushMilliseconds: ms }) => `${(ms / 1000).toFixed(2)} s` },
    { head: 'digest', of: digestOf, optional: ({ digests }) => operated && digests !== undefined },
    { head: 'rows', align: right, of: rowsOf, optional: ({ digests }) => operated && digests !== undefined },
    {
      head: 'oplog',
      of: ({ oplog }) => (oplog === undefined ? '' : nearby(shell.cwd, oplog)),
      optional: ({ oplog }) => oplog !== undefined,
    },
  ]
  const columns = all.filter(({ optional }) => optional === undefined || replicas.some(optional))
  const rows = replicas.map((replica) => columns.map(({ of }) => of(replica)))
  return await alignedTable(columns, rows)
}

/** One digest a table, one below the other. */
function digestOf({ digests }: ReplicaReport): string {
  if (digests === undefined) return 'unknown'
  return Object.values(digests)
    .map(({ hash }) => hash)
    .join(' ')
}

function rowsOf({ digests }: ReplicaReport): string {
  if (digests === undefined) return ''
  return counted(Object.values(digests).reduce((sum, { rows }) => sum + rows, 0))
}

/** A path as it is shortest to write. */
function nearby(cwd: string, path: string): string {
  const short = relative(cwd, path)
  return short.startsWith('..') || isAbsolute(short) ? path : short
}

async function plan({ plan: planned }: Report): Promise<string[]> {
  if (planned === undefined) return []
  if (planned.length === 0) return ['dry run: nothing would have been written']
  const columns = [{ head: 'would write' }, { head: 'table' }, { head: 'rows', align: 'right' as const }]
  const rows = planned.map(({ replica, table, rows: count }) => [replica, table, counted(count)])
  return ['dry run: nothing was written', await alignedTable(columns, rows), '']
}

function verdict({ colors, interrupted }: Shell, report: Report, options: SummaryOptions): string[] {
  const { replicas } = report
  if (interrupted.aborted) return []
  const lines: string[] = []
  const pending = replicas.reduce((sum, replica) => sum + replica.pending, 0)
  if (pending > 0 && !options.flushed && report.plan === undefined) {
    lines.push(
      `${several(pending, 'row')} not flushed yet: the next run or \`merganser sync${sameState(options)}\` does it`,
    )
  }
  // Without statements there are no keys to compare.
  if (!options.operations) return pending === 0 ? ['nothing is pending'] : lines
  if (report.converged) lines.push(colors.green('converged: all replicas hold the same'))
  else if (replicas.some(({ digests }) => digests === undefined)) lines.push('not known to be converged')
  else if (differ(replicas)) lines.push('not converged: the replicas differ; FULL_SYNC brings them together')
  else if (replicas.some(({ behind }) => behind.length > 0)) lines.push(`not converged: ${notMerged(replicas)}`)
  else lines.push('not converged: all replicas hold the same, but not all databases do')
  return lines
}

function notMerged(replicas: readonly ReplicaReport[]): string {
  const { name, behind } = replicas.find((replica) => replica.behind.length > 0)!
  return `${name} has not merged all that earlier runs left in ${behind.join(', ')}; FULL_SYNC brings them together`
}

function differ(replicas: readonly ReplicaReport[]): boolean {
  const [first] = replicas
  return replicas.some(({ digests }) => JSON.stringify(digests) !== JSON.stringify(first?.digests))
}
