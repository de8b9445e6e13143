import { crc32 } from 'node:zlib'
import { MerganserError } from '../core/errors.ts'
import type { Disk } from '../environment/environment.ts'
import { stateError } from './failure.ts'
import { hex } from './format.ts'

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }

/** The format that this version reads and writes. */
const POSITIONS_FORMAT = 1

/**
 * Replaces the file by `{"format":1,"crc":"…","content":<content>}` and a newline; the crc is the CRC-32 of the
 * content's bytes. Durable on return; a crash leaves the old or the new one. Throws STATE_FULL, STATE_UNUSABLE.
 */
export async function writePositions(disk: Disk, path: string, content: Json): Promise<void> {
  const text = JSON.stringify(content)
  const line = `{"format":${String(POSITIONS_FORMAT)},"crc":"${hex(crc32(text))}","content":${text}}\n`
  try {
    await disk.replaceFile(path, Buffer.from(line))
  } catch (error) {
    throw stateError(error, 'writing the positions', path)
  }
}

const START = /^\{"format":([1-9]\d{0,5}),/
const WHOLE = /^\{"format":1,"crc":"([0-9a-f]{8})","content":/

/**
 * The content last written; undefined where there is no file. Throws STATE_FORMAT where a newer version wrote it,
 * OPLOG_DAMAGED where it isn't what was written, STATE_UNUSABLE.
 */
export async function readPositions(disk: Disk, path: string): Promise<Json | undefined> {
  let found
  try {
    found = await disk.readFile(path)
  } catch (error) {
    throw stateError(error, 'reading the positions', path)
  }
  if (found === undefined) return undefined
  const bytes = Buffer.from(found.buffer, found.byteOffset, found.length)
  const start = bytes.toString('latin1', 0, 80)
  const format = Number(START.exec(start)?.[1] ?? 0)
  if (format > POSITIONS_FORMAT) {
    throw new MerganserError('STATE_FORMAT', `${path} is of format ${String(format)}; this version reads format 1`, {
      place: { file: path },
      advice: 'use the version of Merganser that wrote it, or a newer one',
    })
  }
  const match = WHOLE.exec(start)
  const content = bytes.subarray(match?.[0].length ?? 0, Math.max(bytes.length - 2, 0))
  if (match === null || bytes.toString('latin1', bytes.length - 2) !== '}\n' || hex(crc32(content)) !== match[1])
    throw damaged(path)
  try {
    return JSON.parse(content.toString('utf8')) as Json
  } catch {
    throw damaged(path)
  }
}

function damaged(path: string): MerganserError {
  return new MerganserError('OPLOG_DAMAGED', `the positions in ${path} are damaged: they aren't what was written`, {
    place: { file: path },
    advice:
      'put the file back from a backup, or run with --accept-loss: positions are then set back and rows flushed again',
  })
}
