import { InvalidArgumentError } from 'commander'
import { keysOf, textAt, type KeyBatch, type RowBatch, type TextColumn } from '../core/batch.ts'
import { MerganserError } from '../core/errors.ts'
import { nearestName } from '../core/nearest.ts'
import { compareCanonical } from '../core/order.ts'
import type { Column, TableSchema } from '../core/table.ts'
import { parseValue } from '../core/types.ts'
import type { Condition } from '../connectors/connector.ts'
import { holds } from '../verify/conditions.ts'

/** A `--where` as it was written. */
export interface WhereText {
  readonly column: string
  readonly operator: Condition['operator']
  readonly value: string
}

const OPERATOR = /^(?:=|!=|<=|>=|<|>)$/
const WHOLE = /^\s*([A-Za-z_]\w*)\s*(!=|<=|>=|=|<|>) ?(.*)$/s

/** What `--where` has gathered so far: whole conditions, and the words of one that is still to come. */
export interface Wheres {
  readonly conditions: readonly WhereText[]
  readonly words: readonly string[]
}

/**
 * For `--where COLUMN OP VALUE`, called with each word: three words, or one that holds the whole condition, as it must
 * where the value begins with a `-`.
 */
export function whereArgument(word: string, before: Wheres = { conditions: [], words: [] }): Wheres {
  const words = [...before.words, word]
  const [column, operator, value] = words
  const add = (condition: WhereText): Wheres => ({ conditions: [...before.conditions, condition], words: [] })
  if (words.length === 1) {
    const match = WHOLE.exec(word)
    if (match !== null) return add({ column: match[1]!, operator: match[2] as Condition['operator'], value: match[3]! })
    if (!/^[A-Za-z_]\w*$/.test(word)) throw new InvalidArgumentError('It is written COLUMN OP VALUE.')
    return { conditions: before.conditions, words }
  }
  if (!OPERATOR.test(operator!)) {
    throw new InvalidArgumentError('An operator is one of = != < <= > >=, quoted for the shell.')
  }
  if (value === undefined) return { conditions: before.conditions, words }
  return add({ column: column!, operator: operator as Condition['operator'], value })
}

/** A condition with its column's place in a batch. */
export interface Where {
  readonly column: Column
  readonly operator: Condition['operator']
  /** Canonical text; null for `\N`. */
  readonly value: string | null
  readonly of: (batch: RowBatch) => TextColumn
}

/** Checks conditions against a table. Throws USAGE, UNKNOWN_COLUMN, BAD_VALUE. */
export function wheresOf(table: TableSchema, wheres: Wheres): Where[] {
  if (wheres.words.length > 0) {
    throw new MerganserError('USAGE', `--where ${wheres.words[0]!.slice(0, 80)} is not whole`, {
      advice: "it is written COLUMN OP VALUE, or in one word, as it must be where the value begins with -: 'n<-5'",
    })
  }
  return wheres.conditions.map(({ column: name, operator, value: text }) => {
    const { column, of } = columnNamed(table, name)
    const value = valueOf(column, text)
    if (value === null && operator !== '=' && operator !== '!=') {
      throw new MerganserError('USAGE', `--where ${column.name} ${operator}: null has no order`, {
        advice: 'compare it with = or !=; the text \\N is written "\\\\N"',
      })
    }
    if (column.type.name === 'json' && operator !== '=' && operator !== '!=') {
      throw new MerganserError('USAGE', `--where ${column.name} ${operator}: json has no order`, {
        advice: 'compare it with = or !=',
      })
    }
    return { column, operator, value, of }
  })
}

/** A table's column by name, whatever its case, and where a batch has it. Throws UNKNOWN_COLUMN. */
export function columnNamed(
  table: TableSchema,
  name: string,
): { readonly column: Column; readonly of: (batch: RowBatch) => TextColumn } {
  const same = (column: Column) => column.name.toLowerCase() === name.toLowerCase()
  const key = table.key.findIndex(same)
  if (key !== -1) return { column: table.key[key]!, of: (batch) => batch.keys[key]! }
  const value = table.values.findIndex(same)
  if (value !== -1) return { column: table.values[value]!, of: (batch) => batch.values[value]! }
  const known = [...table.key, ...table.values].map((column) => column.name)
  const near = nearestName(name, known)
  throw new MerganserError('UNKNOWN_COLUMN', `table ${table.name} has no column ${name.slice(0, 80)}`, {
    place: { table: table.name },
    advice: near === undefined ? `its columns: ${known.join(', ')}` : `did you mean ${near}?`,
  })
}

/** As an item of a script: bare, a JSON string, or \N for null. */
function valueOf(column: Column, text: string): string | null {
  if (text === '\\N') return null
  const parsed = parseValue(column.type, text.startsWith('"') ? unquoted(column, text) : text)
  if ('text' in parsed) return parsed.text
  throw new MerganserError('BAD_VALUE', `--where ${column.name} (${column.type.name}): ${parsed.reason}`)
}

function unquoted(column: Column, text: string): string {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'string') return value
  } catch {
    // Told below.
  }
  throw new MerganserError('BAD_VALUE', `--where ${column.name}: a value that begins with a quote is a JSON string`, {
    advice: 'write quotes in it as \\", and one at its end',
  })
}

/**
 * Whether a row of a batch meets all conditions. Values compare by the order of their types, strings by UTF-8 bytes,
 * whatever the database. As in SQL a null meets no comparison; but `= \N` asks for nulls, and `!= \N` for what is none.
 */
export function meets(wheres: readonly Where[], batch: RowBatch, row: number): boolean {
  for (const { column, operator, value, of } of wheres) {
    const text = textAt(of(batch), row)
    if (value === null) {
      if ((text === null) !== (operator === '=')) return false
    } else if (text === null || !holds(operator, compareCanonical(column.type, text, value))) return false
  }
  return true
}

/** The one key that conditions leave, where they name every key column with `=`. */
export function keyAsked(table: TableSchema, wheres: readonly Where[]): KeyBatch | undefined {
  const key = table.key.map((column) => {
    const where = wheres.find((each) => each.column === column && each.operator === '=')
    return where?.value ?? undefined
  })
  if (key.some((text) => text === undefined)) return undefined
  return keysOf(table, [key as string[]])
}
