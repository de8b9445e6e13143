import { join } from 'node:path'
import { MerganserError } from '../core/errors.ts'

/*
 * The form of an oplog on disk. It is text, a script in Merganser's language; to this folder a line is bytes: one that
 * begins with `#` is a remark, every other line is a record.
 *
 * A log is a row of segments, numbered from 1. Line 1 of each:
 *
 *   # merganser oplog 1 <replica> <log id> segment <n> from <records> after <crc>
 *
 * `from` is the number of records in all segments before (its first record is `from` + 1), `after` the checksum of the
 * seal that ended the segment before (0 and 00000000 in the first). After each group commit stands a seal:
 *
 *   # seal <records> <bytes> <crc>
 *
 * `records` is the number of records in the whole log up to here, `bytes` the length of the batch: of everything
 * between the seal before (or the beginning of the segment, so the header is part of the first batch) and this line.
 * `crc`, eight lower-case hexadecimal digits, is the CRC-32 of the batch followed by the seal line up to and with the
 * blank before the crc, begun with the crc of the seal before (or with the header's `after`). So it also covers the
 * numbers in the seal, and the chain runs through all segments.
 *
 * The bytes after the last good seal were never acknowledged: the torn tail.
 */

/** The format that this version reads and writes. */
export const OPLOG_FORMAT = 1

/** 256 MiB: a segment that has grown beyond this is rotated. */
export const SEGMENT_BYTES = 256 * 1024 * 1024

/** No header is longer. */
export const MAX_HEADER_BYTES = 512

/** `#`, the first byte of a remark. */
export const REMARK = 0x23
export const NEWLINE = 0x0a

export const SEAL_START = Buffer.from('# seal ')

export interface SegmentHeader {
  readonly replica: string
  readonly logId: string
  /** From 1. */
  readonly segment: number
  /** Records in all segments before. */
  readonly from: number
  /** The checksum of the last seal before. */
  readonly after: number
}

export function headerLine(header: SegmentHeader): Buffer {
  const { replica, logId, segment, from, after } = header
  return Buffer.from(
    `# merganser oplog ${String(OPLOG_FORMAT)} ${replica} ${logId} segment ${String(segment)} from ${String(from)} after ${hex(after)}\n`,
  )
}

const HEADER =
  /^# merganser oplog 1 ([A-Z_][A-Z0-9_]*) ([0-9a-zA-Z_-]{1,64}) segment ([1-9]\d{0,8}) from (0|[1-9]\d{0,14}) after ([0-9a-f]{8})\n$/
const ANY_HEADER = /^# merganser oplog ([1-9]\d{0,5}) /

/**
 * Reads a segment's first line, its newline included; undefined where it is none.
 * Throws STATE_FORMAT where it is one of a newer format.
 */
export function parseHeader(line: Uint8Array, path: string): SegmentHeader | undefined {
  const text = Buffer.from(line.buffer, line.byteOffset, Math.min(line.length, MAX_HEADER_BYTES)).toString('latin1')
  const match = HEADER.exec(text)
  if (match !== null) {
    return {
      replica: match[1]!,
      logId: match[2]!,
      segment: Number(match[3]),
      from: Number(match[4]),
      after: Number.parseInt(match[5]!, 16),
    }
  }
  const format = Number(ANY_HEADER.exec(text)?.[1] ?? 0)
  if (format > OPLOG_FORMAT) {
    throw new MerganserError(
      'STATE_FORMAT',
      `${path} is an oplog of format ${String(format)}; this version reads format 1`,
      {
        place: { file: path, line: 1 },
        advice: 'use the version of Merganser that wrote it, or a newer one',
      },
    )
  }
  return undefined
}

export interface Seal {
  readonly records: number
  readonly bytes: number
  readonly crc: number
}

/** A seal line up to its checksum, which `sealEnd` completes. */
export function sealStart(records: number, bytes: number): Buffer {
  return Buffer.from(`# seal ${String(records)} ${String(bytes)} `, 'latin1')
}

/** The rest of a seal line: the checksum of the batch and `sealStart`. */
export function sealEnd(crc: number): Buffer {
  return Buffer.from(`${hex(crc)}\n`, 'latin1')
}

/** Bytes of `sealEnd`. */
export const SEAL_END_BYTES = 9

const SEAL = /^# seal (0|[1-9]\d{0,14}) ([1-9]\d{0,14}) ([0-9a-f]{8})\n$/
const MAX_SEAL_BYTES = 64

/** Reads a seal line, its newline included; undefined where it isn't well formed. Says nothing about its truth. */
export function parseSeal(line: Uint8Array): Seal | undefined {
  if (line.length > MAX_SEAL_BYTES) return undefined
  const match = SEAL.exec(Buffer.from(line.buffer, line.byteOffset, line.length).toString('latin1'))
  if (match === null) return undefined
  return { records: Number(match[1]), bytes: Number(match[2]), crc: Number.parseInt(match[3]!, 16) }
}

export function hex(crc: number): string {
  return crc.toString(16).padStart(8, '0')
}

/** The live segment of a replica's log: `oplogs.hive`. */
export function livePath(directory: string, replica: string): string {
  return join(directory, `oplogs.${replica.toLowerCase()}`)
}

/** A rotated segment: `oplogs.hive.3`. */
export function rotatedPath(directory: string, replica: string, segment: number): string {
  return `${livePath(directory, replica)}.${String(segment)}`
}
