import { RowBatchBuilder, type StampedCell, type StampedRow } from '../core/batch.ts'
import type { TableSchema } from '../core/table.ts'
import { isUnstamped, type Difference } from '../verify/difference.ts'
import { formatOf, jsonOf, type Shown } from './query-format.ts'

/** Writes differences as text. */
export interface DiffFormat {
  begin(): string
  some(differences: readonly Difference[]): string
  end(): string
}

export function diffFormatOf(
  name: 'table' | 'jsonl' | 'csv',
  table: TableSchema,
  sides: readonly [string, string],
): DiffFormat {
  return name === 'jsonl' ? new DiffLines(table, sides) : new DiffColumns(name, table, sides)
}

/** What a difference is called, from the names of the replicas. */
export function kindText({ kind, moving }: Difference, [left, right]: readonly [string, string]): string {
  const named = {
    'left-only': `only ${left}`,
    'right-only': `only ${right}`,
    stamps: 'stamps only',
    unstamped: 'without stamps',
  }
  const text = kind in named ? named[kind as keyof typeof named] : kind
  return moving ? `${text}, moving` : text
}

/** For people and CSV: a line for each column that differs, in the columns key, difference, column, values, stamps. */
class DiffColumns implements DiffFormat {
  readonly #table: TableSchema
  readonly #sides: readonly [string, string]
  readonly #lines: TableSchema
  readonly #format

  constructor(name: 'table' | 'csv', table: TableSchema, sides: readonly [string, string]) {
    this.#table = table
    this.#sides = sides
    const text = { name: 'string' } as const
    const [left, right] = sides
    const heads = ['difference', 'column', left, right, `${left}_stamp`, `${right}_stamp`]
    // Lines are rows of a table of their own, written as `query` writes rows.
    this.#lines = { name: 'lines', key: table.key, values: heads.map((head) => ({ name: head, type: text })) }
    const shown: Shown[] = [
      ...table.key.map((column, c) => ({ ...column, of: batchKey(c) })),
      ...this.#lines.values.map((column, c) => ({ ...column, of: batchValue(c) })),
    ]
    this.#format = formatOf(name, shown)
  }

  begin(): string {
    return this.#format.begin()
  }

  some(differences: readonly Difference[]): string {
    const builder = new RowBatchBuilder(this.#lines)
    for (const difference of differences) for (const line of this.#linesOf(difference)) builder.push(line)
    const batch = builder.build()
    return this.#format.rows(batch, [...Array(batch.rows).keys()])
  }

  end(): string {
    return this.#format.end()
  }

  #linesOf(difference: Difference): StampedRow[] {
    const { key, columns, left, right } = difference
    const line = (name: string, ...cells: (string | null)[]): StampedRow => ({
      key,
      cells: [kindText(difference, this.#sides), name, ...cells].map((value) => ({ value, stamp: '' })),
      deleted: null,
    })
    const lines = columns.map((c) => {
      const [a, b] = [left?.cells[c] ?? null, right?.cells[c] ?? null]
      return line(this.#table.values[c]!.name, valueOf(a), valueOf(b), stampOf(a), stampOf(b))
    })
    const deleted = [left?.deleted ?? null, right?.deleted ?? null] as const
    if (deleted[0] !== deleted[1]) lines.push(line('(deleted)', ...deleted.map(deletedText), ...deleted))
    return lines.length > 0 ? lines : [line('', null, null, null, null)]
  }
}

const batchKey =
  (c: number): Shown['of'] =>
  (batch) =>
    batch.keys[c]!
const batchValue =
  (c: number): Shown['of'] =>
  (batch) =>
    batch.values[c]!

function valueOf(cell: StampedCell | null): string | null {
  return cell === null ? null : cell.value
}

/** Of a value without a stamp there is none to show. */
function stampOf(cell: StampedCell | null): string | null {
  return cell === null || isUnstamped(cell) ? null : cell.stamp
}

function deletedText(stamp: string | null): string | null {
  return stamp === null ? null : 'deleted'
}

/** An object a line: key, kind, moving, the columns that differ, and what both sides hold in them. */
class DiffLines implements DiffFormat {
  readonly #table: TableSchema
  readonly #sides: readonly [string, string]

  constructor(table: TableSchema, sides: readonly [string, string]) {
    this.#table = table
    this.#sides = sides
  }

  begin(): string {
    return ''
  }

  some(differences: readonly Difference[]): string {
    return differences.map((difference) => `${this.#line(difference)}\n`).join('')
  }

  end(): string {
    return ''
  }

  #line(difference: Difference): string {
    const { key, kind, moving, columns, foreign, unstamped, left, right } = difference
    const { key: keyColumns, values } = this.#table
    const names = (numbers: readonly number[]) => JSON.stringify(numbers.map((c) => values[c]!.name))
    const keys = keyColumns.map(({ name, type }, c) => `${JSON.stringify(name)}:${jsonOf(type.name, key[c]!)}`)
    const members = [
      `"key":{${keys.join(',')}}`,
      `"kind":${JSON.stringify(kind)}`,
      `"moving":${String(moving)}`,
      `"columns":${names(columns)}`,
      `"foreign":${names(foreign)}`,
      `"unstamped":${names(unstamped)}`,
      `${JSON.stringify(this.#sides[0])}:${this.#rowOf(left, columns)}`,
      `${JSON.stringify(this.#sides[1])}:${this.#rowOf(right, columns)}`,
    ]
    return `{${members.join(',')}}`
  }

  /** Null where there is nothing; else the values and stamps of the columns that differ, and the tombstone. */
  #rowOf(row: StampedRow | undefined, columns: readonly number[]): string {
    if (row === undefined) return 'null'
    const held = columns.flatMap((c) => {
      const cell = row.cells[c]
      return cell === undefined || cell === null ? [] : [{ column: this.#table.values[c]!, cell }]
    })
    const values = held.map(
      ({ column: { name, type }, cell }) => `${JSON.stringify(name)}:${jsonOf(type.name, cell.value)}`,
    )
    const stamps = held.map(({ column, cell }) => `${JSON.stringify(column.name)}:${JSON.stringify(stampOf(cell))}`)
    return `{"values":{${values.join(',')}},"stamps":{${stamps.join(',')}},"deleted":${JSON.stringify(row.deleted)}}`
  }
}
