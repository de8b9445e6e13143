import {
  BACKSLASH,
  CLASS,
  CLOSE,
  CLOSE_BRACE,
  COLON,
  COMMA,
  CR,
  LF,
  OPEN,
  OPEN_BRACE,
  QUOTE,
  SPACE,
  STOP,
  TAB,
  isNull,
} from './characters.ts'
import { MAX_COLUMNS } from '../core/table.ts'
import type { Range, Scanner } from './scanner.ts'

export interface Item extends Range {
  readonly kind: 'bare' | 'quoted' | 'null'
  /** What it says, quotes and escapes undone; empty for null. */
  readonly text: string
}

/** Items in parentheses: a key. */
export interface Group extends Range {
  readonly kind: 'group'
  readonly items: readonly Item[]
}

/** `{column: item, …}` */
export interface Braces extends Range {
  readonly kind: 'braces'
  readonly cells: readonly { readonly name: Range; readonly item: Item }[]
}

export type Argument = Item | Group | Braces

/** A table name, a column name, the keys and the values: more arguments than any statement has. */
const MOST_ARGUMENTS = MAX_COLUMNS + 3

const QUOTE_ADVICE = 'text with any of , ( ) { } " # or line ends is written as a JSON string, like "a, b"'

/** The arguments of a row operation, its "(" already taken, up to its ")"; gives the offset of the latter too. */
export function readArguments(scanner: Scanner): { readonly list: readonly Argument[]; readonly close: number } {
  const list: Argument[] = []
  for (;;) {
    if (list.length === MOST_ARGUMENTS) scanner.fail('WRONG_COUNT', scanner.at, 'more items than any table has columns')
    const next = scanner.peek()
    list.push(next === OPEN ? readGroup(scanner) : next === OPEN_BRACE ? readBraces(scanner) : readItem(scanner))
    if (scanner.take(COMMA)) continue
    if (scanner.peek() !== CLOSE)
      scanner.unexpected('"," or ")"', list.at(-1)?.kind === 'bare' ? QUOTE_ADVICE : undefined)
    return { list, close: scanner.expect(CLOSE) }
  }
}

function readGroup(scanner: Scanner): Group {
  const start = scanner.expect(OPEN)
  const items: Item[] = []
  for (;;) {
    if (items.length === MAX_COLUMNS) scanner.fail('WRONG_COUNT', scanner.at, 'more items than any table has columns')
    items.push(readItem(scanner))
    if (scanner.take(COMMA)) continue
    if (scanner.peek() !== CLOSE)
      scanner.unexpected('"," or ")"', items.at(-1)?.kind === 'bare' ? QUOTE_ADVICE : undefined)
    scanner.expect(CLOSE)
    return { kind: 'group', items, start, end: scanner.at }
  }
}

export function readBraces(scanner: Scanner): Braces {
  const start = scanner.expect(OPEN_BRACE)
  const cells: { name: Range; item: Item }[] = []
  for (;;) {
    const name = scanner.name() ?? scanner.unexpected("a column's name")
    scanner.expect(COLON)
    if (cells.length === MAX_COLUMNS) scanner.fail('WRONG_COUNT', name.start, 'more items than any table has columns')
    const item = readItem(scanner)
    cells.push({ name, item })
    if (scanner.take(COMMA)) continue
    if (scanner.peek() !== CLOSE_BRACE)
      scanner.unexpected('"," or "}"', item.kind === 'bare' ? QUOTE_ADVICE : undefined)
    scanner.expect(CLOSE_BRACE)
    return { kind: 'braces', cells, start, end: scanner.at }
  }
}

/** Bare text, a JSON string or `\N`. */
export function readItem(scanner: Scanner): Item {
  const first = scanner.peek()
  if (first === QUOTE) return readQuoted(scanner)
  const { line, end } = scanner
  const start = scanner.at
  let at = start
  while (at < end && (CLASS[line[at]!]! & STOP) === 0) at++
  if (at < end) {
    if (line[at] === CR || line[at] === LF)
      scanner.fail('SYNTAX', at, 'a line end in the middle of the line', QUOTE_ADVICE)
    if (line[at] === QUOTE) scanner.fail('SYNTAX', at, 'a quote in the middle of bare text', QUOTE_ADVICE)
  }
  scanner.at = at
  let last = at
  while (last > start && (line[last - 1] === SPACE || line[last - 1] === TAB)) last--
  if (last === start)
    scanner.unexpected('an item', 'an item is bare text, a JSON string or \\N; the empty string is written ""')
  if (isNull(line, start, last)) return { kind: 'null', text: '', start, end: last }
  return { kind: 'bare', text: line.toString('utf8', start, last), start, end: last }
}

const ESCAPED = new Set(Array.from('"\\/bfnrt', (character) => character.charCodeAt(0)))
const LETTER_U = 117

/** A JSON string, exactly: no raw control characters, no other escapes, no lone surrogates. */
function readQuoted(scanner: Scanner): Item {
  const { line, end } = scanner
  const start = scanner.at
  let escapes = false
  let at = start + 1
  while (at < end && line[at] !== QUOTE) {
    if (line[at] === BACKSLASH) {
      escapes = true
      at = escapeEnd(scanner, at)
    } else if (line[at]! < SPACE) {
      const code = line[at]!.toString(16).padStart(2, '0')
      scanner.fail(
        'SYNTAX',
        at,
        `control character 0x${code} in a JSON string`,
        `write it as ${line[at] === TAB ? '\\t' : `\\u00${code}`}`,
      )
    } else at++
  }
  if (at === end) scanner.fail('SYNTAX', start, 'this JSON string has no closing quote')
  scanner.at = at + 1
  const raw = line.toString('utf8', start, at + 1)
  return { kind: 'quoted', text: escapes ? (JSON.parse(raw) as string) : raw.slice(1, -1), start, end: at + 1 }
}

/** Where the escape at `at` ends; a pair of surrogates is one. */
function escapeEnd(scanner: Scanner, at: number): number {
  const { line } = scanner
  const kind = at + 1 < scanner.end ? line[at + 1]! : -1
  if (ESCAPED.has(kind)) return at + 2
  const unit = kind === LETTER_U ? hexUnit(scanner, at + 2) : -1
  if (unit === -1) {
    scanner.fail(
      'SYNTAX',
      at,
      'no escape of a JSON string',
      'they are \\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four hexadecimal digits',
    )
  }
  if (unit < 0xd800 || unit > 0xdfff) return at + 6
  const paired = unit <= 0xdbff && line[at + 6] === BACKSLASH && line[at + 7] === LETTER_U
  const low = paired ? hexUnit(scanner, at + 8) : -1
  if (low < 0xdc00 || low > 0xdfff) scanner.fail('BAD_VALUE', at, 'a lone surrogate: it is half of a character')
  return at + 12
}

function hexUnit(scanner: Scanner, at: number): number {
  if (at + 4 > scanner.end) return -1
  let unit = 0
  for (let i = at; i < at + 4; i++) {
    const digit = '0123456789abcdef'.indexOf(String.fromCharCode(scanner.line[i]! | 0x20))
    // The bit that folds letters turns some control characters into digits.
    if (digit === -1 || scanner.line[i]! < 0x30) return -1
    unit = unit * 16 + digit
  }
  return unit
}
