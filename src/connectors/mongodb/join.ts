import type { Layout } from '../documents/layout.ts'
import { keyFields, type IncomingRow } from './encode.ts'

/*
 * The join of a row as an update whose pipeline works on the stored document: each column by itself takes the incoming
 * value where its stamp is greater than the stored one and the stored tombstone, and goes where the incoming tombstone
 * is not smaller than its stamp. All expressions see the document as it was. Values, and texts of any kind but stamps and
 * our own names, stand in `$literal`: they can't become operators or paths.
 */

type Expression = unknown

const literal = (value: unknown): Expression => ({ $literal: value })
const when = (condition: Expression, yes: Expression, no: Expression): Expression => ({ $cond: [condition, yes, no] })

/** The stages of the update; creates the row where it isn't there. */
export function joinPipeline(layout: Layout, row: IncomingRow): unknown[] {
  const set = new Map<string, Expression>()
  for (const [name, value] of keyFields(layout.schema, row)) set.set(name, literal(value))
  const tombstone = `$stamps.${layout.deletedName}`
  const came = new Set<string>()
  for (const { name, stamp, value } of row.registers) {
    came.add(name)
    const newer = { $gt: [literal(stamp), { $max: [`$stamps.${name}`, tombstone] }] }
    set.set(name, when(newer, value === undefined ? '$$REMOVE' : literal(value), `$${name}`))
    set.set(`stamps.${name}`, when(newer, literal(stamp), `$stamps.${name}`))
  }
  if (row.deleted !== null) {
    for (const { column } of layout.values) {
      if (came.has(column.name)) continue
      const outlives = { $gt: [`$stamps.${column.name}`, literal(row.deleted)] }
      set.set(column.name, when(outlives, `$${column.name}`, '$$REMOVE'))
      set.set(`stamps.${column.name}`, when(outlives, `$stamps.${column.name}`, '$$REMOVE'))
    }
    set.set(`stamps.${layout.deletedName}`, { $max: [tombstone, literal(row.deleted)] })
  }
  return [{ $set: set }]
}
