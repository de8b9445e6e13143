import { crc32 } from 'node:zlib'
import type { Disk, DiskFile } from '../environment/environment.ts'
import {
  MAX_HEADER_BYTES,
  NEWLINE,
  parseHeader,
  parseSeal,
  REMARK,
  SEAL_START,
  type Seal,
  type SegmentHeader,
} from './format.ts'

/** Read in one go. */
export const READ_BYTES = 1024 * 1024

/** Where a segment begins, as far as it is known before it is read. */
export interface Beginning {
  readonly replica: string
  readonly segment: number
  readonly logId: string | undefined
  /** Undefined: as the header says. */
  readonly from: number | undefined
  readonly after: number | undefined
  /** False: a good seal's number of records is taken for true, not counted again. */
  readonly counted: boolean
}

export interface Problem {
  readonly reason: string
  /** Where the bytes that aren't covered by a good seal begin. */
  readonly byte: number
  /**
   * Something stands behind that can only have been written after these bytes were durable: they are damaged, not torn.
   */
  readonly later: boolean
}

export interface Scan {
  readonly header: SegmentHeader | undefined
  /** Size of the file. */
  readonly size: number
  /** The last good seal: bytes up to its end (0 where there is none), the log's records and the chain's checksum. */
  readonly bytes: number
  readonly records: number
  readonly crc: number
  readonly marks: readonly { readonly records: number; readonly byte: number }[]
  /** Undefined where the file ends with a good seal. */
  readonly problem: Problem | undefined
}

/** A segment's header; undefined where it has none. Throws STATE_FORMAT, and the disk's errors. */
export async function peekHeader(disk: Disk, path: string): Promise<SegmentHeader | undefined> {
  const file = await disk.open(path, 'read')
  try {
    return headerOf(await file.read(0, MAX_HEADER_BYTES), path)
  } finally {
    await file.close()
  }
}

function headerOf(bytes: Uint8Array, path: string): SegmentHeader | undefined {
  return parseHeader(bytes.subarray(0, bytes.indexOf(NEWLINE) + 1), path)
}

/**
 * Verifies a segment's header and every seal, and counts the lines. Memory is bounded whatever the file holds. Throws
 * STATE_FORMAT, and the disk's errors.
 */
export async function scanSegment(disk: Disk, path: string, beginning: Beginning): Promise<Scan> {
  const file = await disk.open(path, 'read')
  try {
    const size = await file.size()
    const header = headerOf(await file.read(0, MAX_HEADER_BYTES), path)
    const { from = header?.from ?? 0, after = header?.after ?? 0, counted } = beginning
    const chain = new Chain(size, from, after, counted)
    const foreign = header === undefined ? undefined : mismatch(header, beginning)
    const problem = foreign === undefined ? await follow(file, size, chain) : { reason: foreign, byte: 0, later: true }
    const { bytes, records, crc, marks } = chain
    // Sealed bytes without a header: only a log that was put together by hand.
    if (header === undefined && bytes > 0) {
      return {
        header,
        size,
        bytes: 0,
        records,
        crc,
        marks: [],
        problem: { reason: 'it has no header', byte: 0, later: true },
      }
    }
    return { header, size, bytes, records, crc, marks, problem }
  } finally {
    await file.close()
  }
}

function mismatch(header: SegmentHeader, beginning: Beginning): string | undefined {
  const { replica, segment, logId, from, after } = beginning
  if (header.replica !== replica) return `its header is of the replica ${header.replica}`
  if (logId !== undefined && header.logId !== logId) return `its header is of another log, ${header.logId}`
  if (header.segment !== segment) return `its header is of segment ${String(header.segment)}`
  if (from !== undefined && header.from !== from) {
    return `its header goes on after record ${String(header.from)}, but the log before it ends with ${String(from)}`
  }
  if (after !== undefined && header.after !== after) return "its header doesn't continue the segment before"
  return undefined
}

/** One buffer is read into while the other one's bytes are checked. */
async function follow(file: DiskFile, size: number, chain: Chain): Promise<Problem | undefined> {
  const room = Math.min(size, READ_BYTES)
  const buffers = [Buffer.allocUnsafeSlow(room)]
  let index: 0 | 1 = 0
  /** Of a line whose end isn't read yet, at the beginning of the buffer. */
  let kept = 0
  let offset = 0
  let lineStart = true
  let reading = file.readInto(buffers[0]!.subarray(0, size), 0)
  for (let more = true; more;) {
    const length: number = await reading
    const bytes: Buffer = buffers[index]!.subarray(0, kept + length)
    const end = offset + bytes.length
    more = length > 0 && end < size
    // Whole lines; a line longer than what is read at once can't be a seal and is taken in pieces.
    const whole = bytes.lastIndexOf(NEWLINE) + 1
    if (whole === 0 && !more) break
    const taken = whole > 0 ? bytes.subarray(0, whole) : bytes
    if (more) {
      index = index === 0 ? 1 : 0
      // Most logs are short and need but one.
      const next = (buffers[index] ??= Buffer.allocUnsafeSlow(room))
      kept = bytes.copy(next, 0, taken.length)
      reading = file.readInto(next.subarray(kept, kept + size - end), end)
      // It is awaited later.
      reading.catch(() => undefined)
    }
    const problem = chain.take(taken, offset, lineStart)
    if (problem !== undefined) {
      await reading
      return problem
    }
    lineStart = whole > 0
    offset += taken.length
  }
  if (chain.bytes === size && size > 0) return undefined
  const reason = size === 0 ? 'it is empty' : `the last ${String(size - chain.bytes)} bytes have no seal`
  return { reason, byte: chain.bytes, later: false }
}

/** Follows the seals through the bytes of a segment. */
class Chain {
  readonly #size: number
  readonly #counts: boolean
  /** End of the last good seal, and what it says. */
  bytes = 0
  records: number
  crc: number
  readonly marks: { readonly records: number; readonly byte: number }[] = []
  /** Of the batch since then. */
  #running: number
  #counted: number

  constructor(size: number, from: number, after: number, counts: boolean) {
    this.#size = size
    this.#counts = counts
    this.records = this.#counted = from
    this.crc = this.#running = after
  }

  /** Takes the next bytes of the file, which begin at `offset`; in them every seal is whole. */
  take(bytes: Buffer, offset: number, lineStart: boolean): Problem | undefined {
    let position = 0
    for (;;) {
      const seal = findSeal(bytes, position, lineStart || position > 0)
      const end = seal < 0 ? bytes.length : seal
      this.#running = crc32(bytes.subarray(position, end), this.#running)
      if (this.#counts) this.#counted += countRecords(bytes, position, end, lineStart || position > 0)
      if (seal < 0) return undefined
      const next = bytes.indexOf(NEWLINE, seal) + 1
      const problem = this.#seal(bytes.subarray(seal, next), offset + seal, offset + next)
      if (problem !== undefined) return problem
      position = next
    }
  }

  #seal(line: Buffer, start: number, end: number): Problem | undefined {
    const seal = parseSeal(line)
    const reason = seal === undefined ? 'an unreadable seal' : this.#fault(seal, line, start)
    if (reason === undefined && seal !== undefined) {
      this.bytes = end
      this.records = this.#counted = seal.records
      this.crc = this.#running = seal.crc
      if (end - (this.marks.at(-1)?.byte ?? 0) >= READ_BYTES) this.marks.push({ records: seal.records, byte: end })
      return undefined
    }
    // The next batch is written only after this one's seal is durable. And a torn batch has its own seal at its own
    // distance: another length means that the seal between was lost.
    const later = end < this.#size || (seal !== undefined && seal.bytes !== start - this.bytes)
    return { reason: `${reason ?? ''} at byte ${String(start)}`, byte: this.bytes, later }
  }

  #fault(seal: Seal, line: Buffer, start: number): string | undefined {
    if (seal.bytes !== start - this.bytes)
      return `a seal over ${String(seal.bytes)} bytes, not ${String(start - this.bytes)},`
    // All but the crc and the newline.
    const sealed = crc32(line.subarray(0, line.length - 9), this.#running)
    if (sealed !== seal.crc) return "a seal whose checksum doesn't match the bytes before it"
    if (seal.records === this.#counted || !this.#counts) return undefined
    return `a seal of ${String(seal.records)} records where ${String(this.#counted)} were counted`
  }
}

function findSeal(bytes: Buffer, position: number, lineStart: boolean): number {
  const end = position + SEAL_START.length
  if (lineStart && bytes.length >= end && bytes.compare(SEAL_START, 0, SEAL_START.length, position, end) === 0)
    return position
  // Its first byte is rare, unlike a line's end.
  for (let found = bytes.indexOf(SEAL_START, position + 1); found >= 0; found = bytes.indexOf(SEAL_START, found + 1)) {
    if (bytes[found - 1] === NEWLINE) return found
  }
  return -1
}

/** Lines that begin in `[position, end)` and are records. */
function countRecords(bytes: Buffer, position: number, end: number, lineStart: boolean): number {
  let count = 0
  let start = lineStart ? position : bytes.indexOf(NEWLINE, position) + 1
  if (!lineStart && start === 0) return 0
  while (start < end) {
    if (bytes[start] !== REMARK) count++
    const next = bytes.indexOf(NEWLINE, start)
    if (next < 0) break
    start = next + 1
  }
  return count
}
