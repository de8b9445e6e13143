import { MerganserError } from '../../core/errors.ts'
import type { Column, TableSchema } from '../../core/table.ts'
import { typeText } from '../../core/types.ts'

/*
 * One document per row, in MongoDB and in the embedded database of documents:
 *
 *     { _id: { student_id: 'S1', course_id: 'C1' }, student_id: 'S1', course_id: 'C1', grade: 'A',
 *       stamps: { grade: '2026-11-22 15:11:21.956711651Z@HIVE', deleted: '…' } }
 *
 * A column without a register has neither field nor stamp; one that holds null has both, the field being null. In a
 * json column null has a stamp but no field, for there the field null is JSON's own null. In MongoDB's `_id`, whose order
 * is that of scans, bytes are their canonical text: binaries sort by their length first.
 */

/** A column with what the encoder and decoder need of it. */
export interface Field {
  readonly column: Column
  /** The element's name in BSON: ASCII, ended by a zero byte. */
  readonly name: Buffer
}

export interface Layout {
  readonly schema: TableSchema
  readonly key: readonly Field[]
  readonly values: readonly Field[]
  /** The tombstone's name within `stamps`. */
  readonly deleted: Buffer
  /** Numbers of the value columns by name. */
  readonly numbers: ReadonlyMap<string, number>
  readonly deletedName: string
}

export const ID = Buffer.from('_id\0')
export const STAMPS = Buffer.from('stamps\0')

export function layoutOf(schema: TableSchema): Layout {
  checkNames(schema)
  const field = (column: Column) => ({ column, name: Buffer.from(`${column.name}\0`, 'latin1') })
  // No column may be called deleted_stamp, so this name is free where a column is called `deleted`.
  const deletedName = schema.values.some((column) => column.name === 'deleted') ? 'deleted_stamp' : 'deleted'
  return {
    schema,
    key: schema.key.map(field),
    values: schema.values.map(field),
    deleted: Buffer.from(`${deletedName}\0`, 'latin1'),
    deletedName,
    numbers: new Map(schema.values.map((column, c) => [column.name, c])),
  }
}

/** The table's shape in one line, the same for the same shape: what `ensureTable` keeps and compares. */
export function shapeOf(schema: TableSchema): string {
  const columns = (list: readonly Column[]) => list.map((one) => `${one.name} ${typeText(one.type)}`).join(', ')
  return `(${columns(schema.key)}) -> (${columns(schema.values)})`
}

/** Names of fields as MongoDB's own language can speak of them. Throws BAD_SCHEMA. */
function checkNames(schema: TableSchema): void {
  for (const { name } of [...schema.key, ...schema.values]) {
    if (/^[^$.\0\x80-\uffff][^.\0\x80-\uffff]*$/.test(name)) continue
    throw new MerganserError('BAD_SCHEMA', `column ${name} of table ${schema.name} can't be a field of a document`, {
      place: { table: schema.name },
      advice: 'choose a name of ASCII characters without a dot that does not begin with $',
    })
  }
}
