import { MerganserError } from '../core/errors.ts'
import type { Disk, DiskFile } from '../environment/environment.ts'
import { stateError } from './failure.ts'
import { NEWLINE, REMARK, SEAL_START } from './format.ts'
import type { LogReport, SegmentReport } from './report.ts'
import { READ_BYTES } from './scan.ts'

/** Whole lines of a log. Line `i` is `bytes[starts[i] .. ends[i])`, without its newline. Headers and seals are left out. */
export interface LogChunk {
  readonly bytes: Buffer
  readonly lines: number
  readonly starts: Uint32Array
  readonly ends: Uint32Array
  /** The number of the first record in here; each line that doesn't begin with `#` is the next one. */
  readonly firstRecord: number
  /** Records in here. */
  readonly records: number
  /** The segment's file, and where in it `bytes` begins. */
  readonly path: string
  readonly byte: number
}

/**
 * Reads the sealed lines of an inspected or opened log: the records after `from` and the remarks among and after them,
 * in order, in chunks of about 1 MiB. A chunk stays valid. What was sealed after `report` was made isn't read.
 * Throws OPLOG_DAMAGED where the lines aren't as many as the seals say, STATE_UNUSABLE where the disk fails.
 *
 * @param from at or after the `from` that the log was inspected with
 */
export async function* readLog(disk: Disk, report: LogReport, from = 0): AsyncGenerator<LogChunk, void, undefined> {
  const { replica } = report
  for (const segment of segmentsFrom(report, from)) {
    const file = await openSegment(disk, replica, segment)
    try {
      checkRecords(replica, segment, yield* readSegment(file, segment, from))
    } catch (error) {
      throw stateError(error, `reading the oplog of ${replica}`, segment.path)
    } finally {
      await file.close()
    }
  }
}

/** The segments that hold the records after `from`. */
export function segmentsFrom({ segments, replica }: LogReport, from: number): readonly SegmentReport[] {
  const last = segments.findLastIndex((segment) => segment.from <= from)
  if (last < 0 && segments.length > 0) {
    throw new MerganserError('BUG', `the oplog of ${replica} was inspected from a later record than ${String(from)}`)
  }
  return segments.slice(Math.max(last, 0))
}

export async function openSegment(disk: Disk, replica: string, { path }: SegmentReport): Promise<DiskFile> {
  try {
    return await disk.open(path, 'read')
  } catch (error) {
    throw stateError(error, `reading the oplog of ${replica}`, path)
  }
}

/** Where reading a segment begins, for the records after `from`: the byte, and the records before it. */
export function beginningOf(segment: SegmentReport, from: number): { readonly byte: number; readonly records: number } {
  return segment.marks.findLast(({ records }) => records <= from) ?? { byte: 0, records: segment.from }
}

/** Throws OPLOG_DAMAGED unless a segment's last record is the one that its seals say. */
export function checkRecords(replica: string, { path, segment, to }: SegmentReport, records: number): void {
  if (records === to) return
  const text = `the oplog of ${replica}, segment ${String(segment)}, has ${String(records)} records, its seals say ${String(to)}`
  throw new MerganserError('OPLOG_DAMAGED', text, {
    place: { file: path, replica },
    advice: 'verify it with: merganser oplog --verify',
  })
}

/** Returns the number of the last record. */
async function* readSegment(
  file: DiskFile,
  segment: SegmentReport,
  from: number,
): AsyncGenerator<LogChunk, number, undefined> {
  const beginning = beginningOf(segment, from)
  let offset = beginning.byte
  let record = beginning.records
  let length = READ_BYTES
  const index = new LineIndex()
  while (offset < segment.bytes) {
    const read = await file.read(offset, Math.min(length, segment.bytes - offset))
    const bytes = Buffer.from(read.buffer, read.byteOffset, read.length)
    const whole = bytes.lastIndexOf(NEWLINE) + 1
    if (whole === 0) {
      // A long line: as it is sealed, it ends somewhere. The file can't be shorter than it was but by another's hand.
      if (read.length < Math.min(length, segment.bytes - offset)) return record
      length *= 2
      continue
    }
    length = READ_BYTES
    index.take(bytes.subarray(0, whole), record, from)
    if (index.lines > 0) {
      const { lines, firstRecord, records } = index
      yield { bytes, lines, ...index.arrays(), firstRecord, records, path: segment.path, byte: offset }
    }
    record = index.record
    offset += whole
  }
  return record
}

/** Lines that there is room for at first: most logs that are read back are short. */
const FIRST_LINES = 1024

/** Finds the lines of a chunk; its arrays grow with the first chunks and are copied out. */
class LineIndex {
  #starts = new Uint32Array(FIRST_LINES)
  #ends = new Uint32Array(FIRST_LINES)
  lines = 0
  /** The number of the last record so far. */
  record = 0
  firstRecord = 0
  records = 0

  take(bytes: Buffer, record: number, from: number): void {
    this.lines = 0
    this.records = 0
    this.record = record
    for (let start = 0; start < bytes.length;) {
      const end = bytes.indexOf(NEWLINE, start)
      if (bytes[start] !== REMARK) {
        if (++this.record > from) this.#add(start, end, 1)
      } else if (this.record >= from && !isFrame(bytes, start)) this.#add(start, end, 0)
      start = end + 1
    }
    this.firstRecord = this.record - this.records + 1
  }

  #add(start: number, end: number, records: number): void {
    if (this.lines === this.#starts.length) {
      this.#starts = grown(this.#starts)
      this.#ends = grown(this.#ends)
    }
    this.#starts[this.lines] = start
    this.#ends[this.lines++] = end
    this.records += records
  }

  arrays(): { readonly starts: Uint32Array; readonly ends: Uint32Array } {
    return { starts: this.#starts.slice(0, this.lines), ends: this.#ends.slice(0, this.lines) }
  }
}

const HEADER_START = Buffer.from('# merganser oplog ')

/** Whether the remark at `start` belongs to the log's frame: a seal or a header. */
function isFrame(bytes: Buffer, start: number): boolean {
  return startsWith(bytes, start, SEAL_START) || startsWith(bytes, start, HEADER_START)
}

function startsWith(bytes: Buffer, start: number, text: Buffer): boolean {
  const end = start + text.length
  return end <= bytes.length && bytes.compare(text, 0, text.length, start, end) === 0
}

function grown(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2)
  larger.set(array)
  return larger
}
