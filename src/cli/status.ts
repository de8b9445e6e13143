import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { Config, ReplicaConfig } from '../config/config.ts'
import { MerganserError } from '../core/errors.ts'
import { timeText } from '../core/stamp.ts'
import type { Quarantined, Positions } from '../engine/positions.ts'
import { addConfigOptions, examples, type ConfigOptions } from './options.ts'
import { loadConfiguration } from './session.ts'
import type { Shell } from './shell.ts'
import { alignedTable, counted, several } from './table.ts'

interface ReplicaStatus {
  readonly name: string
  readonly type: string
  readonly oplog: { readonly records: number; readonly bytes: number; readonly segments: number }
  /** Records that the database holds, and those that it lacks. */
  readonly flushed: number
  readonly pending: number
  /** Per other replica, how many of its records this one has seen. */
  readonly seen: Readonly<Record<string, number>>
  readonly quarantined: readonly Quarantined[]
  /** The greatest time that its database may hold. */
  readonly highWater: string | null
  /** Bytes after the last seal. */
  readonly torn: number
  /** Why its oplog can't be read. */
  readonly damage: string | null
}

interface Status {
  readonly state: string
  readonly exists: boolean
  /** Of the session that runs. */
  readonly holder: string | null
  /** Whether the last session ended in order; null while one runs or where there was none. */
  readonly endedInOrder: boolean | null
  readonly replicas: readonly ReplicaStatus[]
}

export function statusCommand(program: Command, shell: Shell): void {
  const command = program
    .command('status')
    .description('show replicas, oplogs, and what is pending; starts no database')
  addConfigOptions(command)
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      examples([
        ['merganser status', 'as a table'],
        ["merganser status --json | jq '.replicas[].pending'", 'for programs'],
      ]),
    )
    .action((options: ConfigOptions & { readonly json?: boolean }) => status(shell, options))
}

async function status(shell: Shell, options: ConfigOptions & { readonly json?: boolean }): Promise<void> {
  const config = await loadConfiguration(shell, options)
  const found = await gather(shell, config)
  if (options.json === true) await shell.print(`${JSON.stringify(found, null, 2)}\n`)
  else await shell.print(`${await shown(found)}\n`)
}

async function gather(shell: Shell, config: Config): Promise<Status> {
  const { lockHolder } = await import('../environment/node-processes.ts')
  const names = await namesIn(config.state)
  const lock = await lockHolder(join(config.state, 'lock')).catch(() => undefined)
  const positions = await recordedPositions(shell, config)
  const replicas: ReplicaStatus[] = []
  for (const replica of config.replicas) replicas.push(await replicaStatus(shell, config, replica, positions, names))
  const running = lock?.alive === true
  const used = positions.size > 0 || replicas.some(({ oplog }) => oplog.segments > 0)
  return {
    state: config.state,
    exists: names.length > 0,
    holder: running ? lock.holder : null,
    // A session that ends in order takes its lock away.
    endedInOrder: running || !used ? null : lock === undefined,
    replicas,
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    if (code === 'ENOENT') return []
    const reason = code === 'ENOTDIR' ? 'it is no directory' : code
    throw new MerganserError('STATE_UNUSABLE', `the state directory can't be read: ${reason}`, {
      place: { file: directory },
      cause: error,
    })
  }
}

async function recordedPositions(shell: Shell, config: Config): Promise<Positions> {
  const [{ positionsPath }, { decodePositions }, { readPositions }, { realEnvironment }] = await Promise.all([
    import('../engine/opening.ts'),
    import('../engine/positions.ts'),
    import('../oplog/positions.ts'),
    import('../index.ts'),
  ])
  const path = positionsPath(config.state)
  try {
    const content = await readPositions(realEnvironment().disk, path)
    return content === undefined ? new Map() : decodePositions(content, path)
  } catch (error) {
    if (!(error instanceof MerganserError)) throw error
    shell.problem(error)
    return new Map()
  }
}

async function replicaStatus(
  shell: Shell,
  config: Config,
  { name, type }: ReplicaConfig,
  positions: Positions,
  names: readonly string[],
): Promise<ReplicaStatus> {
  const position = positions.get(name)
  const files = names.filter((file) => isSegment(file, name))
  const sizes = await Promise.all(files.map((file) => sizeOf(join(config.state, file))))
  const log = await inspect(shell, config, name, position)
  const records = log.records ?? position?.records ?? 0
  const flushed = position?.opened === true ? Math.min(position.flushed, records) : 0
  return {
    name,
    type,
    oplog: { records, bytes: sizes.reduce((sum, size) => sum + size, 0), segments: files.length },
    flushed,
    pending: records - flushed,
    seen: Object.fromEntries(
      config.replicas
        .filter((other) => other.name !== name)
        .map((other) => [other.name, position?.seen.get(other.name)?.position ?? 0]),
    ),
    quarantined: position?.quarantined ?? [],
    highWater: position === undefined || position.highWater === 0n ? null : timeText(position.highWater),
    torn: log.torn,
    damage: log.damage,
  }
}

/** Reads the end of a log: from the segment that the positions recorded last. */
async function inspect(
  shell: Shell,
  config: Config,
  name: string,
  position: { readonly log: string; readonly records: number } | undefined,
): Promise<{ readonly records: number | undefined; readonly torn: number; readonly damage: string | null }> {
  const [{ inspectLog }, { realEnvironment }] = await Promise.all([
    import('../oplog/recover.ts'),
    import('../index.ts'),
  ])
  try {
    const expect = position === undefined ? undefined : { logId: position.log, records: position.records }
    const report = await inspectLog(realEnvironment().disk, config.state, name, { from: position?.records, expect })
    return { records: report.records, torn: report.torn?.bytes ?? 0, damage: null }
  } catch (error) {
    if (!(error instanceof MerganserError)) throw error
    shell.problem(error)
    return { records: undefined, torn: 0, damage: `${error.code}: ${error.message}` }
  }
}

function isSegment(file: string, replica: string): boolean {
  const stem = `oplogs.${replica.toLowerCase()}`
  return file === stem || (file.startsWith(`${stem}.`) && /^[1-9]\d*$/.test(file.slice(stem.length + 1)))
}

async function sizeOf(path: string): Promise<number> {
  // Beside a running session a segment may get another name meanwhile.
  return await stat(path).then(
    ({ size }) => size,
    () => 0,
  )
}

async function shown({ state, exists, holder, endedInOrder, replicas }: Status): Promise<string> {
  const right = 'right' as const
  const columns = [
    { head: 'replica' },
    { head: 'type' },
    { head: 'records', align: right },
    { head: 'bytes', align: right },
    { head: 'segments', align: right },
    { head: 'flushed', align: right },
    { head: 'pending', align: right },
    { head: 'quarantined', align: right },
    { head: 'high water' },
  ]
  const rows = replicas.map(({ name, type, oplog, flushed, pending, quarantined, highWater, damage }) => [
    name,
    type,
    damage === null ? counted(oplog.records) : 'damaged',
    counted(oplog.bytes),
    counted(oplog.segments),
    counted(flushed),
    counted(pending),
    counted(quarantined.length),
    highWater ?? '',
  ])
  const parts = [`state directory ${state}${exists ? '' : ' (nothing there yet)'}`]
  if (holder !== null) parts.push(`in use by ${holder}`)
  if (endedInOrder === false) parts.push('the last session did not end in order: the next one goes on from its oplogs')
  parts.push('', await alignedTable(columns, rows))
  if (replicas.length > 1) parts.push('', await seenTable(replicas))
  for (const { name, torn, quarantined } of replicas) {
    if (torn > 0) parts.push('', `${name}: ${several(torn, 'byte')} after the last seal, never acknowledged`)
    if (quarantined.length > 0) parts.push('', `${name} can't hold:`)
    for (const { table, key, reason } of quarantined) parts.push(`  ${table} ${key}: ${reason}`)
  }
  return parts.join('\n')
}

/** How far each replica has seen the others' logs. */
async function seenTable(replicas: readonly ReplicaStatus[]): Promise<string> {
  const columns = [
    { head: 'has seen' },
    ...replicas.map(({ name }) => ({ head: `of ${name}`, align: 'right' as const })),
  ]
  const rows = replicas.map(({ name, seen }) => [
    name,
    ...replicas.map((other) => {
      if (other.name === name) return '-'
      return `${counted(seen[other.name] ?? 0)} / ${counted(other.oplog.records)}`
    }),
  ])
  return await alignedTable(columns, rows)
}
