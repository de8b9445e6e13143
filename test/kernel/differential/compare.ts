import { keyAt, rowAt, type RowBatch, type TextColumn } from '../../../src/core/batch.ts'
import { sameRow, type Row } from '../../../src/core/row.ts'
import type { TableKeys, TableRows } from '../../../src/core/state.ts'

/** What the two states gave differs. */
export class Mismatch extends Error {}

const MOST_SHOWN = 300

export function show(value: unknown): string {
  const text = JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? `${String(one)}n` : one))
  if (text === undefined) return 'undefined'
  return text.length <= MOST_SHOWN ? text : `${text.slice(0, MOST_SHOWN)}… (${String(text.length)} characters)`
}

/** For numbers, texts and the like. */
export function same(what: string, expected: unknown, got: unknown): void {
  if (expected !== got) throw new Mismatch(`${what}: expected ${show(expected)}, got ${show(got)}`)
}

/** Lists in their order. */
export function sameList(what: string, expected: readonly string[], got: readonly string[]): void {
  for (let i = 0; i < Math.max(expected.length, got.length); i++) {
    if (expected[i] === got[i]) continue
    const lengths = `of ${String(expected.length)} and ${String(got.length)}, number ${String(i)}`
    throw new Mismatch(`${what}: ${lengths}: expected ${show(expected[i])}, got ${show(got[i])}`)
  }
}

/** Lists whose order is free. */
export function sameSet(what: string, expected: readonly string[], got: readonly string[]): void {
  sameList(what, [...expected].sort(), [...got].sort())
}

export function sameHeld(what: string, expected: Row | undefined, got: Row | undefined): void {
  if (expected === got) return
  const equal =
    expected !== undefined &&
    got !== undefined &&
    expected.registers.length === got.registers.length &&
    sameRow(expected, got)
  if (!equal) throw new Mismatch(`${what}: expected ${show(expected)}, got ${show(got)}`)
}

/** One text for each row, its table first; parts by table, the rows of one in their order. */
export function rowTexts(parts: readonly TableRows[]): string[] {
  const texts: string[] = []
  for (const { table, batch } of byTable(parts)) {
    for (let i = 0; i < batch.rows; i++) {
      const { key, cells, deleted } = rowAt(batch, i)
      const flat: unknown[] = [table, ...key, deleted]
      cells.forEach((cell, column) => {
        if (cell !== null) flat.push(column, cell.value, cell.stamp)
      })
      texts.push(JSON.stringify(flat))
    }
  }
  return texts
}

/** The key of a text of `rowTexts`. */
export function keyOfText(text: string, keyColumns: readonly number[]): string {
  const flat = JSON.parse(text) as unknown[]
  return JSON.stringify(flat.slice(0, 1 + keyColumns[flat[0] as number]!))
}

/** One text for each key, its table first. */
export function keyTexts(parts: readonly TableKeys[]): string[] {
  const texts: string[] = []
  for (const { table, keys } of parts) {
    for (let i = 0; i < keys.rows; i++) texts.push(JSON.stringify([table, ...keyAt(keys, i)]))
  }
  return texts
}

export function byTable<Part extends { readonly table: number }>(parts: readonly Part[]): Part[] {
  return [...parts].sort((a, b) => a.table - b.table)
}

/** Rows that came in one or more steps. Texts of them are only made where their bytes differ. */
export class RowList {
  readonly #parts: { readonly table: number; readonly batch: RowBatch }[] = []
  rows = 0

  add(parts: readonly TableRows[]): void {
    for (const { table, batch } of byTable(parts)) {
      this.#parts.push({ table, batch })
      this.rows += batch.rows
    }
  }

  /** Nobody reads them any more: what of them was lent goes back to where it came from. */
  giveBack(): void {
    for (const { batch } of this.#parts) batch.release?.()
  }

  texts(): string[] {
    return this.#parts.flatMap((part) => rowTexts([part]))
  }

  /** Whether the other has the same rows in the same order and steps, by their bytes. */
  isAlike(other: RowList): boolean {
    return (
      this.#parts.length === other.#parts.length &&
      this.#parts.every(({ table, batch }, i) => {
        const its = other.#parts[i]!
        return table === its.table && sameBatch(batch, its.batch)
      })
    )
  }
}

export function sameRows(what: string, expected: RowList, got: RowList, ordered = false): void {
  if (expected.isAlike(got)) return
  const compare = ordered ? sameList : sameSet
  compare(what, expected.texts(), got.texts())
}

function sameBatch(a: RowBatch, b: RowBatch): boolean {
  const columns = ({ keys, values, stamps, deleted }: RowBatch) => [...keys, ...values, ...stamps, deleted]
  const others = columns(b)
  return a.rows === b.rows && columns(a).every((column, i) => sameColumn(a.rows, column, others[i]!))
}

function sameColumn(rows: number, a: TextColumn, b: TextColumn): boolean {
  for (let i = 0; i < rows; i++)
    if (a.ends[i] !== b.ends[i] || (a.nulls?.[i] === 1) !== (b.nulls?.[i] === 1)) return false
  return Buffer.compare(a.bytes, b.bytes) === 0
}
