import { MerganserError } from '../core/errors.ts'
import type { Disk } from '../environment/environment.ts'
import { livePath, NEWLINE, rotatedPath } from './format.ts'
import type { SegmentReport } from './report.ts'
import { peekHeader, READ_BYTES, scanSegment, type Problem, type Scan } from './scan.ts'

interface SegmentFile {
  readonly path: string
  readonly segment: number
  readonly live: boolean
}

/** What stands in a replica's log, good or not; changes nothing. */
export interface Survey {
  readonly logId: string | undefined
  readonly records: number
  readonly crc: number
  readonly segments: readonly SegmentReport[]
  /** Where writing goes on: the live segment's number, and how much of the live file is kept. */
  readonly live: { readonly segment: number; readonly bytes: number }
  readonly torn: { readonly path: string; readonly byte: number; readonly bytes: number } | undefined
  readonly damage: MerganserError | undefined
  /** What lies behind the good prefix, last file first: all of a file from `byte` on. */
  readonly rest: readonly { readonly path: string; readonly byte: number }[]
}

export interface SurveyOptions {
  readonly from?: number | undefined
  readonly expect?: { readonly logId: string; readonly records: number } | undefined
}

/** Throws STATE_FORMAT, and the disk's errors; damage is in the result. */
export async function survey(disk: Disk, directory: string, replica: string, options: SurveyOptions): Promise<Survey> {
  const found = await segmentFiles(disk, directory, replica)
  const gap = found.findIndex((file, i) => file.segment !== i + 1)
  const files = gap < 0 ? found : found.slice(0, gap)
  const walk = new Walk(disk, replica, options)
  let start = await startOf(disk, replica, files, options.from)
  let outcome = await walk.run(files, start)
  // A first segment without a single seal vouches for nothing: begin with the one before.
  while (start > 0 && walk.segments.length === 0) outcome = await walk.run(files, --start)
  const stopped = outcome.stopped
  const missing = gap < 0 ? undefined : missingSegment(directory, replica, files.length + 1, walk.records)
  const rest = [
    ...(stopped?.rest ?? []),
    ...(gap < 0 ? [] : found.slice(gap).map(({ path }) => ({ path, byte: 0 }))),
  ].reverse()
  const damage = stopped?.error ?? missing ?? walk.unexpected(directory, found.length === 0)
  const last = walk.segments.at(-1)
  const inLive = last?.path === livePath(directory, replica)
  return {
    logId: walk.logId,
    records: walk.records,
    crc: walk.crc,
    segments: walk.segments,
    live: inLive ? { segment: last.segment, bytes: last.bytes } : { segment: (last?.segment ?? 0) + 1, bytes: 0 },
    torn: outcome.torn,
    damage,
    rest,
  }
}

/** The files of a log in the order of their numbers, which may have gaps. */
async function segmentFiles(disk: Disk, directory: string, replica: string): Promise<SegmentFile[]> {
  const live = livePath(directory, replica)
  const prefix = `oplogs.${replica.toLowerCase()}`
  const names = await disk.list(directory)
  const files = names
    .filter((name) => name.startsWith(`${prefix}.`) && /^[1-9]\d{0,8}$/.test(name.slice(prefix.length + 1)))
    .map((name) => Number(name.slice(prefix.length + 1)))
    .sort((a, b) => a - b)
    .map((segment) => ({ path: rotatedPath(directory, replica, segment), segment, live: false }))
  if (!names.includes(prefix)) return files
  const after = (files.at(-1)?.segment ?? 0) + 1
  const header = await peekHeader(disk, live)
  files.push({ path: live, segment: Math.max(after, header?.replica === replica ? header.segment : 0), live: true })
  return files
}

/** The index of the last segment that begins at or before record `from`. */
async function startOf(
  disk: Disk,
  replica: string,
  files: readonly SegmentFile[],
  from: number | undefined,
): Promise<number> {
  if (from === undefined) return 0
  for (let i = files.length - 1; i > 0; i--) {
    const file = files[i]!
    const header = await peekHeader(disk, file.path)
    if (header?.replica === replica && header.segment === file.segment && header.from <= from) return i
  }
  return 0
}

interface Outcome {
  readonly torn?: { readonly path: string; readonly byte: number; readonly bytes: number }
  readonly stopped?: {
    readonly error: MerganserError
    readonly rest: readonly { readonly path: string; readonly byte: number }[]
  }
}

/** Goes through segments in order and remembers where the good part ends. */
class Walk {
  readonly #disk: Disk
  readonly #replica: string
  readonly #options: SurveyOptions
  logId: string | undefined
  records = 0
  crc = 0
  segments: SegmentReport[] = []

  constructor(disk: Disk, replica: string, options: SurveyOptions) {
    this.#disk = disk
    this.#replica = replica
    this.#options = options
  }

  async run(files: readonly SegmentFile[], start: number): Promise<Outcome> {
    this.logId = undefined
    this.records = this.crc = 0
    this.segments = []
    for (const [i, file] of files.entries()) {
      if (i < start) continue
      const trust = i === start && start > 0
      const known = { from: trust ? undefined : this.records, after: trust ? undefined : this.crc, logId: this.logId }
      const counted = this.#options.from === undefined
      const beginning = { replica: this.#replica, segment: file.segment, counted, ...known }
      const scan = await scanSegment(this.#disk, file.path, beginning)
      this.#keep(file, scan)
      const { problem } = scan
      if (problem === undefined) continue
      if (file.live && !problem.later) {
        return scan.size === problem.byte
          ? {}
          : { torn: { path: file.path, byte: problem.byte, bytes: scan.size - problem.byte } }
      }
      const rest = files.slice(i + 1).map(({ path }) => ({ path, byte: 0 }))
      const error = await this.#damaged(file, problem)
      return { stopped: { error, rest: [{ path: file.path, byte: problem.byte }, ...rest] } }
    }
    return {}
  }

  #keep(file: SegmentFile, scan: Scan): void {
    if (scan.bytes === 0 || scan.header === undefined) return
    const { path, segment } = file
    this.segments.push({
      path,
      segment,
      from: scan.header.from,
      to: scan.records,
      bytes: scan.bytes,
      marks: scan.marks,
    })
    this.logId = scan.header.logId
    this.records = scan.records
    this.crc = scan.crc
  }

  async #damaged(file: SegmentFile, problem: Problem): Promise<MerganserError> {
    const line = await lineAt(this.#disk, file.path, problem.byte)
    const where = `segment ${String(file.segment)} (${file.path}), byte ${String(problem.byte)}, line ${String(line)}`
    return new MerganserError(
      'OPLOG_DAMAGED',
      `the oplog of ${this.#replica} is damaged: ${where}: ${problem.reason}`,
      {
        place: { file: file.path, line, replica: this.#replica },
        advice: acceptAdvice(this.records),
      },
    )
  }

  /** What was recorded elsewhere and isn't here. */
  unexpected(directory: string, absent: boolean): MerganserError | undefined {
    const { expect } = this.#options
    if (expect === undefined) return undefined
    const file = livePath(directory, this.#replica)
    const details = { place: { file, replica: this.#replica }, advice: acceptAdvice(this.records) }
    const name = `the oplog of ${this.#replica}`
    const recorded = `${String(expect.records)} records were recorded as durable`
    if (absent) return new MerganserError('OPLOG_MISSING', `${name} isn't there (${file}), but ${recorded}`, details)
    if (this.logId !== undefined && this.logId !== expect.logId) {
      return new MerganserError(
        'OPLOG_DAMAGED',
        `${name} is another log, ${this.logId} instead of ${expect.logId}`,
        details,
      )
    }
    if (this.records < expect.records || this.logId === undefined) {
      const last = this.segments.at(-1)
      const where = `${last?.path ?? file}, byte ${String(last?.bytes ?? 0)}`
      const text = `${name} ends before a recorded position: ${where}, after record ${String(this.records)}, but ${recorded}`
      return new MerganserError('OPLOG_DAMAGED', text, {
        ...details,
        place: { file: last?.path ?? file, replica: this.#replica },
      })
    }
    return undefined
  }
}

function missingSegment(directory: string, replica: string, segment: number, records: number): MerganserError {
  const file = rotatedPath(directory, replica, segment)
  return new MerganserError(
    'OPLOG_MISSING',
    `segment ${String(segment)} of the oplog of ${replica} isn't there (${file})`,
    {
      place: { file, replica },
      advice: acceptAdvice(records),
    },
  )
}

function acceptAdvice(records: number): string {
  return `put the file back from a backup, or run with --accept-loss to go on after record ${String(records)}; the rest is set aside, not deleted`
}

/** The number of the line in which a byte of a file lies. */
async function lineAt(disk: Disk, path: string, byte: number): Promise<number> {
  const file = await disk.open(path, 'read')
  try {
    let line = 1
    for (let offset = 0; offset < byte; offset += READ_BYTES) {
      const bytes = await file.read(offset, Math.min(READ_BYTES, byte - offset))
      for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) line++
    }
    return line
  } finally {
    await file.close()
  }
}
