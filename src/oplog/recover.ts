import { basename, join } from 'node:path'
import { assert } from '../core/errors.ts'
import type { Disk, Random } from '../environment/environment.ts'
import { stateError } from './failure.ts'
import { livePath, SEGMENT_BYTES } from './format.ts'
import type { LogLoss, LogReport, TornTail } from './report.ts'
import { READ_BYTES } from './scan.ts'
import { survey, type Survey } from './survey.ts'
import { OplogWriter, type LogEnd } from './writer.ts'

export interface InspectOptions {
  /**
   * Reading begins at the segment that holds the record after this one, trusting its header; earlier segments must be
   * there but aren't read. How many records a seal stands for is trusted too, as its checksum covers the number:
   * `readLog` counts those that it reads. Without it the whole log is read, counted and verified.
   */
  readonly from?: number | undefined
  /** What was recorded elsewhere (positions): the log must have this id and at least so many records. */
  readonly expect?: { readonly logId: string; readonly records: number } | undefined
  /** Instead of throwing OPLOG_DAMAGED or OPLOG_MISSING, keep the good prefix and say in `loss` what is missing. */
  readonly acceptLoss?: boolean | undefined
}

export interface OpenLogOptions extends InspectOptions {
  /** Default 256 MiB. */
  readonly segmentBytes?: number | undefined
  /** Checks each append line by line; for tests. */
  readonly checkAppends?: boolean | undefined
}

export interface OpenedLog {
  readonly writer: OplogWriter
  /** As it is now: `torn` and `loss` name the files that hold what was set aside. `logId` is set. */
  readonly report: LogReport
  /** There was no log: this one is new. Its header becomes durable with the first epoch (`group.durable()`). */
  readonly created: boolean
}

/**
 * Reads and verifies a replica's log: headers, seals, the chain through all segments. Changes nothing, and may run
 * beside a session that writes (whose unfinished batch then looks like a torn tail).
 *
 * Throws OPLOG_DAMAGED (a bad seal with later ones behind it, a header that isn't this log's, an end before
 * `expect.records`) or OPLOG_MISSING (a segment or the whole log isn't there), naming file, byte and line; STATE_FORMAT
 * where a newer version wrote it; STATE_UNUSABLE where it can't be read, symbolic links included.
 *
 * @param replica in capitals
 */
export async function inspectLog(
  disk: Disk,
  directory: string,
  replica: string,
  options: InspectOptions = {},
): Promise<LogReport> {
  const found = await surveyed(disk, directory, replica, options)
  const torn = found.torn === undefined ? undefined : { ...found.torn, setAside: undefined }
  return report(directory, replica, found, torn, lossOf(found, options, []))
}

/**
 * Opens a replica's log for writing, in a directory that is there and locked by the caller: `inspectLog`, then sets a
 * torn tail aside (`oplogs.<replica>.torn-<n>`, kept for ever) and cuts it, and with `acceptLoss` everything behind the
 * good prefix (`oplogs.<replica>.lost-<n>`). Creates the log where there is none. A crash at any point of it leaves a
 * state that the next call handles. Errors as `inspectLog`; STATE_FULL.
 *
 * After an accepted loss record numbers go on after `report.loss.kept`: positions beyond it must be set back first.
 */
export async function openLog(
  environment: { readonly disk: Disk; readonly random: Random },
  directory: string,
  replica: string,
  options: OpenLogOptions = {},
): Promise<OpenedLog> {
  const { disk, random } = environment
  const found = await surveyed(disk, directory, replica, options)
  try {
    const setAside: string[] = []
    for (const { path, byte } of found.rest) setAside.push(await putAside(disk, directory, path, byte, 'lost'))
    const torn = await cutTail(disk, directory, found)
    const created = found.logId === undefined
    await bringToDisk(disk, livePath(directory, replica), found, options.expect?.records ?? 0)
    const logId = found.logId ?? random.hex(16)
    const writer = await writerFor(
      disk,
      { directory, replica, logId, ...found.live, records: found.records, crc: found.crc },
      options,
    )
    const loss = lossOf(found, options, setAside)
    return { writer, report: { ...report(directory, replica, found, torn, loss), logId }, created }
  } catch (error) {
    throw stateError(error, `opening the oplog of ${replica}`, livePath(directory, replica))
  }
}

/**
 * Of what a session reads back, it may have been the last sync that failed: then the system shows bytes which aren't on
 * the disk, and whose loss would take what comes after them along. So what isn't recorded as durable is written again.
 */
async function bringToDisk(disk: Disk, path: string, { live, segments }: Survey, recorded: number): Promise<void> {
  if (live.bytes === 0) return
  const marks = segments.at(-1)!.marks.filter(({ records }) => records <= recorded)
  await disk.rewrite(path, marks.at(-1)?.byte ?? 0)
}

async function writerFor(disk: Disk, end: LogEnd, options: OpenLogOptions): Promise<OplogWriter> {
  const file = await disk.open(livePath(end.directory, end.replica), 'append')
  try {
    // The file may be new, or left by a crash between its creation and this.
    await disk.syncDirectory(end.directory)
    assert((await file.size()) === end.bytes, 'an oplog is opened at its last seal')
  } catch (error) {
    await file.close()
    throw error
  }
  return new OplogWriter(disk, file, end, {
    segmentBytes: options.segmentBytes ?? SEGMENT_BYTES,
    checkAppends: options.checkAppends ?? false,
  })
}

async function surveyed(disk: Disk, directory: string, replica: string, options: InspectOptions): Promise<Survey> {
  try {
    for (let tries = 1; ; tries++) {
      const before = await segmentNames(disk, directory)
      const outcome = await attempt(survey(disk, directory, replica, options))
      // Beside a session that rotates its log, a file may have got another name meanwhile.
      const failed = 'error' in outcome || outcome.value.damage !== undefined
      if (failed && tries < 5 && (await segmentNames(disk, directory)) !== before) continue
      if ('error' in outcome) throw outcome.error
      if (outcome.value.damage !== undefined && options.acceptLoss !== true) throw outcome.value.damage
      return outcome.value
    }
  } catch (error) {
    throw stateError(error, `reading the oplog of ${replica}`, livePath(directory, replica))
  }
}

async function segmentNames(disk: Disk, directory: string): Promise<string> {
  return (await disk.list(directory)).filter((name) => name.startsWith('oplogs.')).join('/')
}

async function attempt<T>(work: Promise<T>): Promise<{ readonly value: T } | { readonly error: unknown }> {
  try {
    return { value: await work }
  } catch (error) {
    return { error }
  }
}

async function cutTail(disk: Disk, directory: string, found: Survey): Promise<TornTail | undefined> {
  if (found.torn === undefined) return undefined
  return { ...found.torn, setAside: await putAside(disk, directory, found.torn.path, found.torn.byte, 'torn') }
}

/** Moves all of a file from `byte` on into a file of its own, durably, and returns its path. */
async function putAside(
  disk: Disk,
  directory: string,
  path: string,
  byte: number,
  kind: 'torn' | 'lost',
): Promise<string> {
  const names = await disk.list(directory)
  // `oplogs.hive` from `oplogs.hive.3`: what was set aside is numbered through the log.
  const stem = basename(path).split('.', 2).join('.')
  let n = 1
  while (names.includes(`${stem}.${kind}-${String(n)}`)) n++
  const target = join(directory, `${stem}.${kind}-${String(n)}`)
  if (kind === 'lost' && byte === 0) {
    await disk.rename(path, target)
    await disk.syncDirectory(directory)
    return target
  }
  const from = await disk.open(path, 'append')
  try {
    const to = await disk.open(target, 'create')
    try {
      for (let offset = byte; ;) {
        const bytes = await from.read(offset, READ_BYTES)
        if (bytes.length === 0) break
        await to.append([bytes])
        offset += bytes.length
      }
      await to.datasync()
    } finally {
      await to.close()
    }
    await disk.syncDirectory(directory)
    await from.truncate(byte)
    await from.datasync()
  } finally {
    await from.close()
  }
  return target
}

function lossOf(found: Survey, options: InspectOptions, setAside: readonly string[]): LogLoss | undefined {
  const { damage } = found
  if (damage === undefined) return undefined
  const reached = options.expect?.records
  return { message: damage.message, place: damage.place, kept: found.records, reached, setAside }
}

function report(
  directory: string,
  replica: string,
  found: Survey,
  torn: TornTail | undefined,
  loss: LogLoss | undefined,
): LogReport {
  const { logId, records, crc, segments } = found
  return { directory, replica, logId, records, crc, segments, torn, loss }
}
