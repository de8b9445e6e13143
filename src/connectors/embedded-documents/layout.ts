import type { Column, TableSchema } from '../../core/table.ts'
import { typeText } from '../../core/types.ts'

/*
 * One document per row, in the shape that MongoDB's own connector uses too:
 *
 *     { _id: { student_id: 'S1', course_id: 'C1' }, student_id: 'S1', course_id: 'C1', grade: 'A',
 *       stamps: { grade: '2026-11-22 15:11:21.956711651Z@HIVE', deleted: '…' } }
 *
 * A column without a register has neither field nor stamp; one that holds null has both, the field being null. In a
 * json column null has a stamp but no field, for there the field null is JSON's own null.
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
