import { basename, join } from 'node:path'
import { HybridClock } from '../core/clock.ts'
import { MerganserError } from '../core/errors.ts'
import { timeText } from '../core/stamp.ts'
import type { TableSchema } from '../core/table.ts'
import { pendingRecords } from '../engine/copy.ts'
import { finish } from '../engine/finish.ts'
import { positionsPath } from '../engine/opening.ts'
import { decodePositions } from '../engine/positions.ts'
import type { Report } from '../engine/report.ts'
import { runScript } from '../engine/run-script.ts'
import { openSession, type Session } from '../engine/session.ts'
import type { EngineSetup } from '../engine/setup.ts'
import { readPositions } from '../oplog/positions.ts'
import { Catalog } from '../script/catalog.ts'
import type { Difference } from './difference.ts'
import { differences } from './differences.ts'
import { FilePart, LineFile } from './line-files.ts'
import { RepairPlanner } from './repair-plan.ts'
import type { SideNumber } from './repair-row.ts'
import { newCounts, planRepair, type RepairCounts } from './repair.ts'
import { withSides } from './sides.ts'

/** Bytes of a plan that one session runs: its rows are in memory meanwhile. */
const PART = 64 * 1024 * 1024

/** Files of lines that `run` executes. */
export interface RepairFiles {
  /** What is to be done. */
  readonly plan: string
  /** What restores, with new stamps, what each side showed before. */
  readonly undo: string
}

export interface RepairEvents {
  /** A row that the plan leaves as it is, and why. */
  left(what: string): void
  /** Records of a side's oplog that its database hasn't got yet: the next flush would settle differences. */
  pending(replica: string, records: number): void
  /** The plan is made. */
  planned(counts: RepairCounts): void
  /** It was carried out; what takes it back is there. */
  done(files: RepairFiles): void
  /** The flush of a side ended with this. */
  failed(error: MerganserError): void
}

export interface RepairWork {
  /** For sessions over the two replicas, left and right, and no others. */
  readonly setup: EngineSetup
  /** The names of all replicas that are configured. */
  readonly names: readonly string[]
  readonly tables: readonly TableSchema[]
  /** Whose values stand where stamps don't settle it. */
  readonly prefer: SideNumber | undefined
  /** 'all': the plan is made and carried out. 'plan': it is written only. 'nothing': only counted. */
  readonly extent: 'all' | 'plan' | 'nothing'
  /** Milliseconds that a row written lately is given to become equal, as in a comparison. */
  readonly settle?: number
  /** By default files of a new name in `repairs/` of the state directory. */
  readonly files?: RepairFiles
  readonly signal: AbortSignal
  readonly events: RepairEvents
}

export interface RepairResult extends RepairCounts {
  /** Rows that still differ; where nothing is carried out, those that the plan would leave. */
  readonly different: number
  /** Where plan and undo are, if they were written. */
  readonly files: RepairFiles | undefined
}

/**
 * Makes two replicas equal where their databases differ: what each lacks by stamps, through oplogs and joins as every
 * write, and where stamps settle nothing, by the choice, under a new stamp. What was done is durable on return, and in
 * the oplogs whatever happens; the file that takes it back is there before the first row is written. Then the two are
 * compared again.
 *
 * Throws as the comparison and the opening of a session do; INTERRUPTED by the signal: rows are whole then, and the
 * next repair does the rest.
 */
export async function repairReplicas(work: RepairWork): Promise<RepairResult> {
  const { extent, events, tables } = work
  const files = extent === 'nothing' ? undefined : (work.files ?? newFiles(work))
  const counts = newCounts()
  const written = await planned(work, files, counts)
  events.planned(counts)
  const result = (different: number) => ({ ...counts, different, files: written ? files : undefined })
  if (extent !== 'all') return result(counts.open + counts.refused + counts.moving)
  if (counts.rows === 0) return result(0)
  if (counts.lines > 0) {
    await runPlan(work, files!.plan)
    events.done(files!)
  }
  let different = 0
  for (const table of tables) {
    await compared(work, table, async (all) => {
      for (const each = all[Symbol.asyncIterator](); (await each.next()).done !== true;) different++
    })
  }
  return result(different)
}

function newFiles({ setup }: RepairWork): RepairFiles {
  const { clock, random } = setup.environment
  const moment = timeText(clock.nanoseconds()).slice(0, 19).replaceAll(/[-:]/g, '').replace(' ', 'T')
  const names = setup.replicas.map(({ name }) => name).join('-')
  const stem = join(setup.stateDirectory, 'repairs', `${moment}-${names}-${random.hex(4)}`.toLowerCase())
  return { plan: `${stem}.in`, undo: `${stem}.undo.in` }
}

/** Makes the plan; whether its files were written. */
async function planned(work: RepairWork, files: RepairFiles | undefined, counts: RepairCounts): Promise<boolean> {
  const { setup, tables, extent } = work
  const { disk, random } = setup.environment
  const [left, right] = setup.replicas
  const unique = random.hex(8)
  const plan = files === undefined ? undefined : new LineFile(disk, files.plan, unique)
  const undo = files === undefined ? undefined : new LineFile(disk, files.undo, unique)
  try {
    await plan?.add(`# repair of ${left!.name} and ${right!.name}: brings each what it lacks`)
    await undo?.add(`# takes back what ${basename(plan!.path)} does: each shows again what it showed before`)
    for (const table of tables) await planTable(work, table, { plan, undo }, counts)
    if (counts.lines === 0 && extent !== 'plan') return false
    await undo?.end()
    await plan?.end()
    return files !== undefined
  } finally {
    await plan?.drop()
    await undo?.drop()
  }
}

interface Lines {
  readonly plan: LineFile | undefined
  readonly undo: LineFile | undefined
}

async function planTable(work: RepairWork, table: TableSchema, lines: Lines, counts: RepairCounts): Promise<void> {
  const { setup, names, prefer, events } = work
  const { clock } = setup.environment
  const catalog = new Catalog(names, setup.tables, setup.aliases)
  const [left, right] = setup.replicas.map(({ name, connector }) => ({ name, capabilities: connector.capabilities }))
  const planner = new RepairPlanner({
    catalog,
    table: catalog.table(table.name)!,
    sides: [left!, right!],
    prefer,
    clock: new HybridClock(() => clock.nanoseconds(), await greatestKnown(work)),
    lineBytes: setup.limits.lineBytes,
  })
  const sink = {
    plan: (line: string) => lines.plan?.add(line),
    undo: (line: string) => lines.undo?.add(line),
  }
  await compared(work, table, (all) =>
    planRepair(all, planner, table, sink, counts, (what) => {
      events.left(what)
    }),
  )
}

/** The greatest time that the state directory knows of. Tells what the sides' databases haven't got yet. */
async function greatestKnown({ setup, events }: RepairWork): Promise<bigint> {
  const { environment, stateDirectory, replicas } = setup
  for (const { name } of replicas) {
    const pending = await pendingRecords(setup, name)
    if (pending > 0) events.pending(name, pending)
  }
  const path = positionsPath(stateDirectory)
  const content = await readPositions(environment.disk, path)
  const known = content === undefined ? [] : [...decodePositions(content, path).values()]
  return known.reduce((greatest, { highWater }) => (highWater > greatest ? highWater : greatest), 0n)
}

/** Opens the two databases for reading, gives the differences of a table to `take`, and closes them whatever happens. */
async function compared(
  { setup, signal, settle }: RepairWork,
  table: TableSchema,
  take: (all: AsyncIterable<Difference>) => Promise<void>,
): Promise<void> {
  const { environment, stateDirectory, events } = setup
  const sides = {
    environment,
    stateDirectory,
    message: (text: string) => {
      events.message(text)
    },
  }
  const [left, right] = setup.replicas
  const options = { environment, signal, ...(settle === undefined ? {} : { settle }) }
  try {
    await take(withSides(sides, [left!, right!], (a, b) => differences(a, b, table, options)))
  } catch (error) {
    if (signal.aborted) throw interrupted(error)
    throw error
  }
}

/** Runs a plan over the two replicas, part by part, each flushed in the end. */
async function runPlan({ setup, signal, events }: RepairWork, path: string): Promise<void> {
  const file = await setup.environment.disk.open(path, 'read')
  try {
    const size = await file.size()
    for (let start = 0; start < size && !signal.aborted;) {
      const part = new FilePart(file, start, PART)
      const { replicas } = await runPart(setup, { file: path, chunks: part.chunks() }, signal)
      for (const { name, failure } of replicas) {
        if (failure === undefined) continue
        events.failed(new MerganserError(failure.code, failure.message, { place: { replica: name } }))
      }
      start = part.end
    }
  } finally {
    await file.close()
  }
  if (signal.aborted) throw interrupted()
}

async function runPart(
  setup: EngineSetup,
  source: { readonly file: string; readonly chunks: AsyncIterable<Buffer> },
  signal: AbortSignal,
): Promise<Report> {
  const session = await openSession(setup)
  let report: Report
  try {
    await runScript(session, source, { keepGoing: true, signal })
    report = await finished(session, signal)
  } catch (error) {
    // What went wrong first is what matters.
    await session.close().catch(() => undefined)
    if (signal.aborted) throw interrupted(error)
    throw error
  }
  await session.close()
  for (const { name, quarantined } of report.replicas) {
    for (const { table, key, reason } of quarantined.slice(0, 20)) {
      setup.events.message(`${name} can't hold ${table} ${key}: ${reason}`)
    }
  }
  return report
}

/** The final flush, for which nobody waits who interrupts: all lines are durable by then. */
async function finished(session: Session, signal: AbortSignal): Promise<Report> {
  if (signal.aborted) throw interrupted()
  const whole = finish(session, () => 0)
  let abort: () => void = () => undefined
  const aborted = new Promise<never>((_, reject) => {
    abort = () => {
      reject(interrupted())
    }
    signal.addEventListener('abort', abort, { once: true })
  })
  whole.catch(() => undefined)
  aborted.catch(() => undefined)
  try {
    return await Promise.race([whole, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function interrupted(cause?: unknown): MerganserError {
  return new MerganserError('INTERRUPTED', 'the repair was interrupted', {
    advice: 'what was repaired is in the oplogs, and durable; repair again for the rest',
    ...(cause === undefined ? {} : { cause }),
  })
}
