import { crc32 } from 'node:zlib'
import { assert, MerganserError } from '../core/errors.ts'
import type { Disk, DiskFile } from '../environment/environment.ts'
import { headerLine, livePath, NEWLINE, REMARK, rotatedPath, SEAL_END_BYTES, sealEnd, sealStart } from './format.ts'
import { Gathered } from './gathered.ts'

/** Where a log ends and a writer goes on. */
export interface LogEnd {
  readonly directory: string
  /** In capitals. */
  readonly replica: string
  readonly logId: string
  /** Number of the live segment. */
  readonly segment: number
  /** Bytes in the live segment, all sealed; 0 where its header must still be written. */
  readonly bytes: number
  /** Records in the log, all durable. */
  readonly records: number
  /** The checksum of the last seal. */
  readonly crc: number
}

/** Told by a writer to the group that commits it. */
export interface AppendListener {
  /** Throws where nothing may be appended any more. */
  admit(bytes: number): void
  /** Whether there is room for more. */
  appended(bytes: number): boolean
}

/** A batch, to be written in one piece with its seal. */
export interface Cut {
  readonly buffers: readonly Uint8Array[]
  /** The seal up to its checksum. */
  readonly seal: Uint8Array
  /** Records of the log once it is durable. */
  readonly records: number
  /** Bytes that were appended, without header and seal. */
  readonly appended: number
  /** Bytes in the file. */
  readonly bytes: number
  readonly release: () => void
}

/**
 * Appends to one replica's log. What is appended is gathered in memory until the session's CommitGroup cuts, writes
 * and syncs it; `openLog` makes it, `CommitGroup` drives it. The engine calls `append`, `remark` and the getters only.
 */
export class OplogWriter {
  readonly replica: string
  readonly logId: string
  readonly #disk: Disk
  readonly #directory: string
  readonly #segmentBytes: number
  readonly #check: boolean
  #file: DiskFile
  #segment: number
  #size: number
  #records: number
  #durable: number
  /** The checksum of the last seal that was written, and the record count of the last one that was cut. */
  #crc: number
  #sealed: number
  readonly #gathered = new Gathered()
  #listener: AppendListener | undefined

  /** @param file the live segment, open for appending, `end.bytes` long */
  constructor(disk: Disk, file: DiskFile, end: LogEnd, options: { segmentBytes: number; checkAppends: boolean }) {
    this.replica = end.replica
    this.logId = end.logId
    this.#disk = disk
    this.#directory = end.directory
    this.#segmentBytes = options.segmentBytes
    this.#check = options.checkAppends
    this.#file = file
    this.#segment = end.segment
    this.#size = end.bytes
    this.#records = this.#durable = this.#sealed = end.records
    this.#crc = end.crc
  }

  /** Records appended so far, durable or not: the number of the last one. */
  get records(): number {
    return this.#records
  }

  /** Records that are on disk and acknowledged. */
  get durableRecords(): number {
    return this.#durable
  }

  /** Bytes that wait for the next cut. A new log's header counts: it should become durable on its own. */
  get pendingBytes(): number {
    return this.#gathered.bytes + (this.#size === 0 && this.#segment === 1 ? 1 : 0)
  }

  get segment(): number {
    return this.#segment
  }

  get path(): string {
    return livePath(this.#directory, this.replica)
  }

  /**
   * Appends whole lines, each with its newline, `records` of which are records (don't begin with `#`); none may look
   * like a seal. Copied at once: the caller may reuse the bytes. With `release` they may be kept where they are: it is
   * called once, when they are copied or durable, or won't be written any more, also where this throws. Not durable
   * before the group says so.
   *
   * Returns whether there is room for more; after false, wait for `CommitGroup.room()` before the next block (one
   * block more does no harm, but memory grows). Throws the group's failure where it has failed, MEMORY_LIMIT where
   * `room()` was ignored for too long; nothing is appended then.
   */
  append(bytes: Uint8Array, records: number, release?: () => void): boolean {
    try {
      if (bytes.length > 0) this.#admit(bytes, records)
    } catch (error) {
      release?.()
      throw error
    }
    if (bytes.length === 0) {
      release?.()
      return true
    }
    this.#gathered.add(bytes, release)
    this.#records += records
    return this.#listener!.appended(bytes.length)
  }

  #admit(bytes: Uint8Array, records: number): void {
    assert(this.#listener !== undefined, 'an oplog belongs to a commit group before it is written')
    assert(bytes[bytes.length - 1] === NEWLINE, 'appended lines end with a newline')
    if (this.#check) checkLines(bytes, records)
    this.#listener.admit(bytes.length)
  }

  /** Appends the line `# <text>`: sealed, skipped by replay, not counted. No line ends in it, not `seal …`. As `append`. */
  remark(text: string): boolean {
    if (/[\r\n]|^(?:seal|merganser oplog) /.test(text)) {
      throw new MerganserError('BUG', 'a remark is one line and no seal or header')
    }
    return this.append(Buffer.from(`# ${text}\n`), 0)
  }

  /** For the group. */
  listen(listener: AppendListener): void {
    assert(this.#listener === undefined, 'an oplog belongs to one commit group')
    this.#listener = listener
  }

  /** For the group: takes what was gathered, sealed; undefined where there is nothing. Synchronous: the epoch's moment. */
  cut(): Cut | undefined {
    if (this.pendingBytes === 0) return undefined
    const { buffers, bytes, release } = this.#gathered.take()
    if (this.#size === 0) buffers.unshift(this.#header())
    const batch = buffers.reduce((sum, { length }) => sum + length, 0)
    const seal = sealStart(this.#records, batch)
    const length = batch + seal.length + SEAL_END_BYTES
    this.#sealed = this.#records
    this.#size += length
    return { buffers, seal, records: this.#records, appended: bytes, bytes: length, release }
  }

  #header(): Buffer {
    const { replica, logId } = this
    return headerLine({ replica, logId, segment: this.#segment, from: this.#sealed, after: this.#crc })
  }

  /** For the group: writes a cut and its seal; not durable yet. */
  async write({ buffers, seal }: Cut): Promise<void> {
    const sealed = this.#file.appendSealed?.(buffers, this.#crc, seal)
    if (sealed !== undefined) {
      this.#crc = await sealed
      return
    }
    let crc = this.#crc
    for (const bytes of [...buffers, seal]) crc = crc32(bytes, crc)
    this.#crc = crc
    await this.#file.append([...buffers, seal, sealEnd(crc)])
  }

  /** For the group, which has failed: what was gathered is never written. */
  abandon(): void {
    this.#gathered.take().release()
  }

  /** For the group: makes what was written durable. */
  async sync(): Promise<void> {
    await this.#file.datasync()
  }

  /** For the group: the epoch is durable in all logs. */
  acknowledge(cut: Cut): void {
    this.#durable = cut.records
  }

  /** For the group: whether the live segment has reached its size. */
  get rotationDue(): boolean {
    return this.#size >= this.#segmentBytes
  }

  /**
   * For the group, between two epochs: gives the live segment its number and begins the next one. After a crash in
   * here there is no live segment, or an empty one: `openLog` goes on with the number after the last.
   */
  async rotate(): Promise<void> {
    assert(this.#sealed === this.#durable, 'rotation happens between epochs')
    await this.#file.close()
    await this.#disk.rename(this.path, rotatedPath(this.#directory, this.replica, this.#segment))
    // In this order on disk as well: a live segment of the same number beside the rotated one would be ambiguous.
    await this.#disk.syncDirectory(this.#directory)
    this.#file = await this.#disk.open(this.path, 'create')
    await this.#disk.syncDirectory(this.#directory)
    this.#segment++
    this.#size = 0
  }

  /** For the group; by the caller only where no group is made, because another log couldn't be opened. */
  async close(): Promise<void> {
    await this.#file.close()
  }
}

/** What `append` demands, line by line: for tests and debugging, as it reads all bytes. */
function checkLines(bytes: Uint8Array, records: number): void {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  let count = 0
  for (let start = 0; start < text.length; start = text.indexOf(NEWLINE, start) + 1) {
    if (text[start] !== REMARK) count++
    else assert(text.toString('latin1', start, start + 7) !== '# seal ', 'appended lines hold no seal')
  }
  assert(count === records, `${String(count)} records were appended, not ${String(records)}`)
}
