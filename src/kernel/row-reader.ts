import type { Register, Row } from '../core/row.ts'
import type { ReplicaId, TableId } from '../core/state.ts'
import { keyTexts, type TableSchema } from '../core/table.ts'
import type { Kernel } from './kernel.ts'
import { BLOCK_ADDRESS, BLOCK_BYTES, BLOCK_LENGTH, CELL, INLINE, ROW_HEADER, TAG } from './layout.ts'
import { TAG_BLOCK, TAG_NOTHING, TAG_NULL, TOMBSTONE_FLAG, TOMBSTONE_TIME, WORD } from './layout.ts'
import type { Origins } from './origins.ts'

/** Reads keys and rows out of the kernel's memory, one at a time. */
export class RowReader {
  readonly #kernel: Kernel
  readonly #tables: readonly TableSchema[]
  readonly #origins: Origins

  constructor(kernel: Kernel, tables: readonly TableSchema[], origins: Origins) {
    this.#kernel = kernel
    this.#tables = tables
    this.#origins = origins
  }

  /** The canonical texts of a row's key. */
  key(row: number, table: TableId): string[] {
    const { call, bytes } = this.#kernel
    const start = call['keyStart']!(row) >>> 0
    return keyTexts(this.#tables[table]!, Uint8Array.from(bytes.subarray(start, start + call['keyLength']!(row))))
  }

  /** A replica's row; undefined where it never had one. */
  row(replica: ReplicaId, row: number, table: TableId): Row | undefined {
    const record = this.#kernel.call['recordAt']!(replica, row) >>> 0
    return record === 0 ? undefined : this.at(record, table)
  }

  /** The row, or part of one, at an address. */
  at(record: number, table: TableId): Row | undefined {
    const { view } = this.#kernel
    const registers = this.#tables[table]!.values.map((_, c) => this.#register(record + ROW_HEADER + c * CELL))
    if ((view.getUint8(record) & TOMBSTONE_FLAG) === 0) {
      return registers.some((register) => register !== undefined) ? { registers, tombstone: undefined } : undefined
    }
    const origin = (view.getUint32(record, true) >>> 4) & 0xffff
    const tombstone = { time: view.getBigInt64(record + TOMBSTONE_TIME, true), origin: this.#origins.nameOf(origin) }
    return { registers, tombstone }
  }

  #register(cell: number): Register | undefined {
    const { view } = this.#kernel
    const tag = view.getUint8(cell + TAG)
    if (tag === TAG_NOTHING) return undefined
    const origin = this.#origins.nameOf(view.getUint16(cell + WORD, true))
    return { value: this.#value(cell, tag), stamp: { time: view.getBigInt64(cell, true), origin } }
  }

  #value(cell: number, tag: number): string | null {
    if (tag === TAG_NULL) return null
    const { bytes, view } = this.#kernel
    if (tag !== TAG_BLOCK) return bytes.toString('utf8', cell + INLINE, cell + INLINE + tag - 1)
    const block = view.getUint32(cell + BLOCK_ADDRESS, true)
    const start = block + BLOCK_BYTES
    return bytes.toString('utf8', start, start + view.getUint32(block + BLOCK_LENGTH, true))
  }
}
