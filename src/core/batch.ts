import type { Row } from './row.ts'
import { roomFor } from './spare-buffers.ts'
import { TIME_TEXT_LENGTH, writeTime, type Stamp } from './stamp.ts'
import type { TableSchema } from './table.ts'

const AT = 0x40
/** Up to here a loop over the units of a text beats a call. */
const SHORT = 40

/**
 * A column of canonical texts as bytes: row `i` is `bytes[ends[i-1] .. ends[i])` in UTF-8, or null where `nulls[i]`
 * is 1. Crosses threads without conversion.
 */
export interface TextColumn {
  readonly bytes: Uint8Array
  readonly ends: Uint32Array
  /** Absent where no row is null. */
  readonly nulls?: Uint8Array
}

/** Keys of one table, column by column, as canonical texts. */
export interface KeyBatch {
  readonly rows: number
  /** One per key column. */
  readonly keys: readonly TextColumn[]
}

/**
 * Rows of one table with their stamps, column by column; the neutral form between engine and connectors. A register
 * that isn't there has a null stamp (and a null value); a null value with a stamp is a register that holds null.
 */
export interface RowBatch extends KeyBatch {
  /** One per value column: canonical texts. */
  readonly values: readonly TextColumn[]
  /** One per value column: full stamp texts. */
  readonly stamps: readonly TextColumn[]
  /** The tombstone's full stamp text. */
  readonly deleted: TextColumn
  /** Where the bytes are lent: says that nobody reads them any more. Called once. */
  readonly release?: () => void
}

/** One row out of a batch, for code that isn't hot: tests, documents, reports. */
export interface StampedRow {
  readonly key: readonly string[]
  /** One per value column; null where there is no register. */
  readonly cells: readonly (StampedCell | null)[]
  readonly deleted: string | null
}

export interface StampedCell {
  /** Canonical text. */
  readonly value: string | null
  /** Full stamp text. */
  readonly stamp: string
}

/** The text of row `i`. */
export function textAt(column: TextColumn, i: number): string | null {
  if (column.nulls !== undefined && column.nulls[i] === 1) return null
  const { bytes, ends } = column
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(
    'utf8',
    i === 0 ? 0 : ends[i - 1]!,
    ends[i],
  )
}

/** The canonical texts of row `i`'s key columns. */
export function keyAt(batch: KeyBatch, i: number): string[] {
  return batch.keys.map((column) => textAt(column, i)!)
}

export function rowAt(batch: RowBatch, i: number): StampedRow {
  const { cells, deleted } = cellsAt(batch, i)
  return { key: keyAt(batch, i), cells, deleted }
}

/** A row without its key. */
export function cellsAt(batch: RowBatch, i: number): Omit<StampedRow, 'key'> {
  return {
    cells: batch.stamps.map((stamps, c) => {
      const stamp = textAt(stamps, i)
      return stamp === null ? null : { value: textAt(batch.values[c]!, i), stamp }
    }),
    deleted: textAt(batch.deleted, i),
  }
}

/** Gathers texts into a column. Grows as needed; `build` gives a column that shares nothing with the builder. */
export class TextColumnBuilder {
  #bytes: Buffer
  #ends: Uint32Array
  #nulls: Uint8Array | undefined
  #sawNull = false
  #rows = 0
  #used = 0

  constructor(rows = 64, bytesPerRow = 16) {
    this.#bytes = Buffer.allocUnsafe(Math.max(64, rows * bytesPerRow))
    this.#ends = new Uint32Array(Math.max(16, rows))
  }

  get bytes(): number {
    return this.#used
  }

  push(text: string | null): void {
    if (this.#rows === this.#ends.length) this.#growRows()
    if (text === null) {
      this.#nulls ??= new Uint8Array(this.#ends.length)
      this.#nulls[this.#rows] = 1
      this.#sawNull = true
    } else {
      const most = text.length * 3
      if (this.#used + most > this.#bytes.length) this.#growBytes(most)
      if (!this.#pushAscii(text)) this.#used += this.#bytes.write(text, this.#used, 'utf8')
    }
    this.#ends[this.#rows++] = this.#used
  }

  /** A text that is UTF-8 already. */
  pushBytes(source: Buffer, start: number, end: number): void {
    const length = end - start
    if (this.#rows === this.#ends.length) this.#growRows()
    if (this.#used + length > this.#bytes.length) this.#growBytes(length)
    const bytes = this.#bytes
    const used = this.#used
    if (length > SHORT) source.copy(bytes, used, start, end)
    else for (let i = 0; i < length; i++) bytes[used + i] = source[start + i]!
    this.#used += length
    this.#ends[this.#rows++] = this.#used
  }

  /** The stamp's full text. */
  pushStamp(stamp: Stamp | undefined): void {
    if (stamp === undefined) {
      this.push(null)
      return
    }
    const { origin } = stamp
    const length = TIME_TEXT_LENGTH + 1 + origin.length
    if (this.#rows === this.#ends.length) this.#growRows()
    if (this.#used + length > this.#bytes.length) this.#growBytes(length)
    const bytes = this.#bytes
    let at = writeTime(bytes, this.#used, stamp.time)
    bytes[at++] = AT
    for (let i = 0; i < origin.length; i++) bytes[at + i] = origin.charCodeAt(i)
    this.#used += length
    this.#ends[this.#rows++] = this.#used
  }

  /** Appends a short text of ASCII: a loop beats a call there. False where it isn't one. */
  #pushAscii(text: string): boolean {
    if (text.length > SHORT) return false
    const bytes = this.#bytes
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      if (unit > 127) return false
      bytes[this.#used + i] = unit
    }
    this.#used += text.length
    return true
  }

  build(): TextColumn {
    const { buffer, byteOffset } = this.#bytes
    const column = {
      // Not a slice of the Buffer itself, which takes several times as long where it is small.
      bytes: new Uint8Array(buffer, byteOffset, this.#used).slice(),
      ends: this.#ends.slice(0, this.#rows),
    }
    return this.#sawNull ? { ...column, nulls: this.#nulls!.slice(0, this.#rows) } : column
  }

  /** What `build` gives, in buffers of `roomFor`; then it is empty, and keeps the room that it has. */
  take(): TextColumn {
    const rows = this.#rows
    const bytes = new Uint8Array(roomFor(this.#used), 0, this.#used)
    bytes.set(this.#bytes.subarray(0, this.#used))
    const ends = new Uint32Array(roomFor(rows * 4), 0, rows)
    ends.set(this.#ends.subarray(0, rows))
    this.#rows = this.#used = 0
    if (!this.#sawNull) return { bytes, ends }
    const nulls = new Uint8Array(roomFor(rows), 0, rows)
    nulls.set(this.#nulls!.subarray(0, rows))
    this.#nulls!.fill(0, 0, rows)
    this.#sawNull = false
    return { bytes, ends, nulls }
  }

  #growRows(): void {
    const ends = new Uint32Array(this.#ends.length * 2)
    ends.set(this.#ends)
    this.#ends = ends
    if (this.#nulls !== undefined) {
      const nulls = new Uint8Array(ends.length)
      nulls.set(this.#nulls)
      this.#nulls = nulls
    }
  }

  #growBytes(more: number): void {
    const bytes = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#used + more))
    this.#bytes.copy(bytes, 0, 0, this.#used)
    this.#bytes = bytes
  }
}

/** Gathers keys of one table. */
export class KeyBatchBuilder {
  readonly #keys: TextColumnBuilder[]
  rows = 0

  constructor(schema: TableSchema, rows = 64) {
    this.#keys = schema.key.map(() => new TextColumnBuilder(rows))
  }

  push(key: readonly string[]): void {
    this.#keys.forEach((column, c) => {
      column.push(key[c]!)
    })
    this.rows++
  }

  build(): KeyBatch {
    return { rows: this.rows, keys: this.#keys.map((column) => column.build()) }
  }
}

/** Gathers rows of one table. */
export class RowBatchBuilder {
  readonly #keys: TextColumnBuilder[]
  readonly #values: TextColumnBuilder[]
  readonly #stamps: TextColumnBuilder[]
  readonly #deleted: TextColumnBuilder
  rows = 0

  constructor(schema: TableSchema, rows = 64) {
    this.#keys = schema.key.map(() => new TextColumnBuilder(rows))
    this.#values = schema.values.map(() => new TextColumnBuilder(rows))
    this.#stamps = schema.values.map(() => new TextColumnBuilder(rows, 40))
    this.#deleted = new TextColumnBuilder(rows, 1)
  }

  /** Bytes of all texts so far. */
  get bytes(): number {
    let sum = this.#deleted.bytes
    for (const columns of [this.#keys, this.#values, this.#stamps]) for (const column of columns) sum += column.bytes
    return sum
  }

  push(row: StampedRow): void {
    for (let c = 0; c < this.#keys.length; c++) this.#keys[c]!.push(row.key[c]!)
    for (let c = 0; c < this.#values.length; c++) {
      const cell = row.cells[c] ?? null
      this.#values[c]!.push(cell === null ? null : cell.value)
      this.#stamps[c]!.push(cell === null ? null : cell.stamp)
    }
    this.#deleted.push(row.deleted)
    this.rows++
  }

  /** As `push`, for a row as the state holds it. */
  pushRow(key: readonly string[], { registers, tombstone }: Row): void {
    for (let c = 0; c < this.#keys.length; c++) this.#keys[c]!.push(key[c]!)
    for (let c = 0; c < this.#values.length; c++) {
      const register = registers[c]
      this.#values[c]!.push(register === undefined ? null : register.value)
      this.#stamps[c]!.pushStamp(register?.stamp)
    }
    this.#deleted.pushStamp(tombstone)
    this.rows++
  }

  build(): RowBatch {
    return {
      rows: this.rows,
      keys: this.#keys.map((column) => column.build()),
      values: this.#values.map((column) => column.build()),
      stamps: this.#stamps.map((column) => column.build()),
      deleted: this.#deleted.build(),
    }
  }
}

export function batchOf(schema: TableSchema, rows: readonly StampedRow[]): RowBatch {
  const builder = new RowBatchBuilder(schema, rows.length)
  for (const row of rows) builder.push(row)
  return builder.build()
}

export function keysOf(schema: TableSchema, keys: readonly (readonly string[])[]): KeyBatch {
  const builder = new KeyBatchBuilder(schema, keys.length)
  for (const key of keys) builder.push(key)
  return builder.build()
}

/**
 * The join of two rows in text form, then normal form: the same as `joinRows`, for connectors whose database can't
 * join by itself and for the conformance kit. Stamp texts compare by their bytes; with equal stamps `stored` stays.
 */
export function joinStamped(stored: StampedRow | undefined, incoming: StampedRow): StampedRow {
  const deleted = greater(stored?.deleted ?? null, incoming.deleted)
  const winners = incoming.cells.map((cell, c) => {
    const mine = stored?.cells[c] ?? null
    const winner = mine === null || (cell !== null && cell.stamp > mine.stamp) ? cell : mine
    return winner !== null && deleted !== null && winner.stamp <= deleted ? null : winner
  })
  const outlived = deleted !== null && winners.every((cell) => cell !== null)
  return { key: incoming.key, cells: winners, deleted: outlived ? null : deleted }
}

function greater(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b
  return a >= b ? a : b
}
