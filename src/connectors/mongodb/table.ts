import type { Column, TableSchema } from '../../core/table.ts'
import { layoutOf, type Layout } from '../documents/layout.ts'
import { bsonOf, idOf } from './encode.ts'
import type { Features } from './features.ts'
import type { Filter } from './session.ts'

/** A table with what reads and writes need of it. */
export interface Table {
  readonly schema: TableSchema
  readonly layout: Layout
  readonly features: Features
  /** Whether the next rows are believed to be new: then they are inserted first. Follows what was met. */
  expectNew: boolean
}

export function tableOf(schema: TableSchema, features: Features): Table {
  return { schema, layout: layoutOf(schema), features, expectNew: true }
}

/** Finds the rows of some keys; where the server doesn't look documents up by `_id`, perhaps others as well. */
export function manyKeys({ schema, features }: Table, keys: readonly (readonly string[])[]): Filter {
  if (features.looksUpDocuments) return { _id: { $in: keys.map((key) => idOf(schema, key)) } }
  const filter = new Map<string, unknown>()
  for (const [c, column] of schema.key.entries()) filter.set(column.name, { $in: distinct(column, keys, c) })
  return filter
}

function distinct({ type }: Column, keys: readonly (readonly string[])[], c: number): unknown[] {
  return [...new Set(keys.map((key) => key[c]!))].map((text) => bsonOf(type, text))
}
