import { displayText } from '../script/display.ts'

export interface TableColumn {
  readonly head: string
  readonly align?: 'left' | 'right'
}

/** Cells aligned in columns under their heads, without lines between; without a newline at the end. */
export async function alignedTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
): Promise<string> {
  const { default: Table } = await import('cli-table3')
  const none = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
    left: '',
    'left-mid': '',
    mid: '',
    'mid-mid': '',
    right: '',
    'right-mid': '',
    middle: '  ',
  }
  const table = new Table({
    head: columns.map(({ head }) => head),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    chars: none,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  })
  for (const row of rows) table.push(row.map(displayText))
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

/** A count as people read it. */
export function counted(count: number): string {
  return count.toLocaleString('en')
}

/** A count with its word: `1 row`, `2 rows`. */
export function several(count: number, word: string): string {
  return `${counted(count)} ${word}${count === 1 ? '' : 's'}`
}
