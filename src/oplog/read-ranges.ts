import type { Disk, DiskFile } from '../environment/environment.ts'
import { stateError } from './failure.ts'
import { NEWLINE, REMARK } from './format.ts'
import { beginningOf, checkRecords, openSegment, segmentsFrom } from './read.ts'
import type { LogReport, SegmentReport } from './report.ts'

/** Whole lines of a log where they were read to: `bytes[start .. end)`. Remarks, headers and seals are among them. */
export interface LogRange {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
  /** Which of the reader's buffers that is; undefined for a line that fits none of them. */
  readonly buffer: 0 | 1 | undefined
  /** The number of the first record in here. */
  readonly firstRecord: number
  /** The segment's file. */
  readonly path: string
}

/** Who reads a log's records without having its lines found first. */
export interface RangeReader {
  /** Two buffers of one size, of which one is read into while the other is taken. */
  buffer(index: 0 | 1): Uint8Array
  /** Whether the buffers stay where they are while a range is taken. */
  readonly steady: boolean
  /** The number of the last record of a range; undefined where enough was read. */
  take(range: LogRange): number | undefined
}

/**
 * As `readLog`, for whoever finds the lines by itself: the same records, the same errors.
 * @param from at or after the `from` that the log was inspected with
 */
export async function readRanges(disk: Disk, report: LogReport, from: number, reader: RangeReader): Promise<void> {
  const { replica } = report
  for (const segment of segmentsFrom(report, from)) {
    const file = await openSegment(disk, replica, segment)
    try {
      const records = await new SegmentRanges(file, segment, from, reader).read()
      if (records === undefined) return
      checkRecords(replica, segment, records)
    } catch (error) {
      throw stateError(error, `reading the oplog of ${replica}`, segment.path)
    } finally {
      await file.close()
    }
  }
}

class SegmentRanges {
  readonly #file: DiskFile
  readonly #segment: SegmentReport
  readonly #from: number
  readonly #reader: RangeReader
  /** Read from here on; the last record before that. */
  #offset: number
  #record: number
  #index: 0 | 1 = 0
  /** Bytes at the beginning of the next buffer: a line whose end is still to be read. */
  #kept = 0
  #reading: Promise<number> | undefined

  constructor(file: DiskFile, segment: SegmentReport, from: number, reader: RangeReader) {
    const { byte, records } = beginningOf(segment, from)
    this.#file = file
    this.#segment = segment
    this.#from = from
    this.#reader = reader
    this.#offset = byte
    this.#record = records
  }

  /** The number of the last record; undefined where enough was read. */
  async read(): Promise<number | undefined> {
    try {
      for (let more = true; more;) {
        const index = this.#index
        const kept = this.#kept
        this.#reading ??= this.#begin()
        const length = await this.#reading
        this.#reading = undefined
        this.#offset += length
        const { buffer, byteOffset } = this.#reader.buffer(index)
        const bytes = Buffer.from(buffer, byteOffset, kept + length)
        const whole = bytes.lastIndexOf(NEWLINE) + 1
        more = length > 0 && this.#offset < this.#segment.bytes
        if (whole === 0 && more) {
          if (!(await this.#long(bytes))) return undefined
          continue
        }
        this.#keep(bytes.subarray(whole), index)
        if (more && this.#reader.steady) this.#reading = this.#begin()
        if (!this.#take(bytes, whole, index)) return undefined
      }
      return this.#record
    } finally {
      // Nobody may use the buffers before.
      await this.#reading?.catch(() => undefined)
    }
  }

  /** Begins to read behind what was kept. */
  #begin(): Promise<number> {
    const room = this.#reader.buffer(this.#index).subarray(this.#kept)
    const reading = this.#file.readInto(room.subarray(0, this.#segment.bytes - this.#offset), this.#offset)
    // It is awaited later.
    reading.catch(() => undefined)
    return reading
  }

  /** The beginning of a line goes to the other buffer, which is the next. */
  #keep(rest: Buffer, index: 0 | 1): void {
    this.#index = index === 0 ? 1 : 0
    this.#reader.buffer(this.#index).set(rest)
    this.#kept = rest.length
  }

  /** False where enough was read. */
  #take(bytes: Buffer, end: number, buffer: 0 | 1 | undefined): boolean {
    const start = this.#skip(bytes, end)
    if (start === end) return true
    const firstRecord = this.#record + 1
    const record = this.#reader.take({ bytes, start, end, buffer, firstRecord, path: this.#segment.path })
    if (record === undefined) return false
    this.#record = record
    return true
  }

  /** Passes over the records that nobody asked for; gives where the next one begins. */
  #skip(bytes: Buffer, end: number): number {
    let start = 0
    while (start < end && this.#record < this.#from) {
      if (bytes[start] !== REMARK) this.#record++
      start = bytes.indexOf(NEWLINE, start) + 1
    }
    return start
  }

  /** A line that fits no buffer: it is read into one of its own. */
  async #long(head: Buffer): Promise<boolean> {
    let bytes = Buffer.from(head)
    for (let end = 0; end === 0;) {
      const more = Math.min(bytes.length, this.#segment.bytes - this.#offset)
      const read = Buffer.from(await this.#file.read(this.#offset, more))
      if (read.length === 0) break
      this.#offset += read.length
      end = read.indexOf(NEWLINE) + 1
      bytes = Buffer.concat([bytes, read])
      // What is behind the line is read again, into the buffers.
      const behind = end === 0 ? 0 : read.length - end
      this.#offset -= behind
      bytes = bytes.subarray(0, bytes.length - behind)
    }
    this.#kept = 0
    return this.#take(bytes, bytes.lastIndexOf(NEWLINE) + 1, undefined)
  }
}
