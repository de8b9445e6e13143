import { TIME_TEXT_LENGTH } from '../core/stamp.ts'
import type { Catalog } from './catalog.ts'
import {
  BLANK,
  CLASS,
  CLOSE,
  COMMA,
  DASH,
  DIGIT,
  DOT,
  EQUALS,
  FOLD,
  HASH,
  isNone,
  isNull,
  NAME,
  NAME_START,
  OPEN,
  SPACE,
  STOP,
  UNPLAIN,
  ZERO,
} from './characters.ts'
import type { ScriptLimits } from './limits.ts'
import { originEnd, originName, type StampReader } from './stamps.ts'
import type { Statement } from './statement.ts'

/** Longer lines go to the general parser; within this, key and value fit the buffers of any `RowInput`. */
const LONGEST = 2048
const MOST_DIGITS = 15

/** All key columns of a table are strings. */
const KEY_IS_TEXT = 1
/** It has one value column, a string. */
const VALUE_IS_TEXT = 2

/**
 * The common spellings of SET, GET and DELETE (bare printable ASCII, string columns, the table named before the
 * operation or not at all), each byte looked at once and nothing allocated but stamps. Anything else, and anything
 * wrong, is left to the general parser: every method answers that with -1.
 */
export class FastPath {
  readonly #catalog: Catalog
  readonly #limits: ScriptLimits
  readonly #stamps: StampReader
  readonly #kinds: Uint8Array
  readonly #keyColumns: Uint16Array
  #time: bigint | undefined
  #origin: string | undefined
  #named = false

  constructor(catalog: Catalog, limits: ScriptLimits, stamps: StampReader) {
    this.#catalog = catalog
    this.#limits = limits
    this.#stamps = stamps
    this.#keyColumns = Uint16Array.from(catalog.tables, (table) => table.key.length)
    this.#kinds = Uint8Array.from(catalog.tables, (table) => {
      const key = table.key.every((column) => column.type.name === 'string')
      const value = table.values.length === 1 && table.values[0]!.type.name === 'string'
      return (key ? KEY_IS_TEXT : 0) | (value ? VALUE_IS_TEXT : 0)
    })
  }

  /** False where the line is left to the general parser; `into` is half filled then. */
  parse(line: Buffer, start: number, end: number, into: Statement): boolean {
    if (end - start > LONGEST || end - start > this.#limits.lineBytes) return false
    let at = blanks(line, start, end)
    if (at === end || line[at] === HASH) return isTail(line, at, end)
    if ((CLASS[line[at]!]! & DIGIT) !== 0) at = this.#prefix(line, at, end, into)
    else this.#time = undefined
    if (at === -1) return false
    at = this.#head(line, at, end, into)
    if (at === -1) return false
    at = this.#key(line, at, end, into)
    if (at === -1) return false
    if (into.op === 'set') {
      at = this.#value(line, at, end, into)
      if (at === -1) return false
    } else if (into.op === 'get') {
      at = this.#expected(line, at, end, into)
      if (at === -1) return false
    }
    if (!isTail(line, at, end)) return false
    if (this.#time !== undefined) {
      into.stamp = { time: this.#time, origin: this.#origin ?? this.#catalog.replicas[into.replica]! }
    }
    return true
  }

  /** Digits or a stamp, and the comma. */
  #prefix(line: Buffer, start: number, end: number, into: Statement): number {
    let at = start
    let number = 0
    while (at < end && (CLASS[line[at]!]! & DIGIT) !== 0) number = number * 10 + line[at++]! - ZERO
    if (at === end) return -1
    if (line[at] === DASH) at = this.#stamp(line, start, end)
    else {
      if (at - start > MOST_DIGITS) return -1
      this.#time = undefined
      into.sequence = number
    }
    if (at === -1) return -1
    at = blanks(line, at, end)
    return at < end && line[at] === COMMA ? blanks(line, at + 1, end) : -1
  }

  #stamp(line: Buffer, start: number, end: number): number {
    this.#time = this.#stamps.time(line, start, end)
    if (this.#time === undefined) return -1
    const at = start + TIME_TEXT_LENGTH
    const last = originEnd(line, at, end)
    this.#origin = last > at ? originName(this.#catalog, line, at + 1, last) : undefined
    return last
  }

  /** `replica . [ table . ] op (` */
  #head(line: Buffer, start: number, end: number, into: Statement): number {
    let at = nameEnd(line, start, end)
    into.replica = this.#catalog.replicaAt(line, start, at)
    if (into.replica === -1) return -1
    at = blanks(line, at, end)
    if (at === end || line[at] !== DOT) return -1
    let from = blanks(line, at + 1, end)
    let to = nameEnd(line, from, end)
    at = blanks(line, to, end)
    this.#named = at < end && line[at] === DOT
    if (this.#named) {
      into.table = this.#catalog.tableAt(line, from, to)
      if (into.table === -1) return -1
      from = blanks(line, at + 1, end)
      to = nameEnd(line, from, end)
      at = blanks(line, to, end)
    }
    const length = to - from
    if (length === 3 && isWord3(line, from, 115)) into.op = 'set'
    else if (length === 3 && isWord3(line, from, 103)) into.op = 'get'
    else if (length === 6 && isDelete(line, from)) into.op = 'delete'
    else return -1
    const wanted = into.op === 'set' ? KEY_IS_TEXT | VALUE_IS_TEXT : KEY_IS_TEXT
    if ((this.#kinds[into.table]! & wanted) !== wanted) return -1
    return at < end && line[at] === OPEN ? blanks(line, at + 1, end) : -1
  }

  /** The key in either spelling, up to and with the `,` or `)` behind it. */
  #key(line: Buffer, start: number, end: number, into: Statement): number {
    if (start === end) return -1
    const grouped = line[start] === OPEN
    const closer = !grouped && into.op === 'set' ? COMMA : CLOSE
    let at = this.#items(line, grouped ? start + 1 : start, end, into, closer)
    if (at === -1) return -1
    // A first item that is a table's name may be read in two ways.
    if (!grouped && !this.#named && this.#isTable(line, into.keyStart, end)) return -1
    if (!grouped) return at
    at = blanks(line, at, end)
    return at < end && line[at] === (into.op === 'set' ? COMMA : CLOSE) ? at + 1 : -1
  }

  #isTable(line: Buffer, start: number, end: number): boolean {
    const last = nameEnd(line, start, end)
    return this.#catalog.tableAt(line, start, last) !== -1
  }

  /** The items of the key and what closes them, into canonical key bytes. */
  #items(line: Buffer, start: number, end: number, into: Statement, closer: number): number {
    const key = into.input.key
    const columns = this.#keyColumns[into.table]!
    let length = 0
    let plain = true
    let at = start
    for (let c = 1; c <= columns; c++) {
      const from = blanks(line, at, end)
      const before = length
      let byte = 0
      let last = from
      for (at = from; at < end; at++) {
        byte = line[at]!
        if ((CLASS[byte]! & (STOP | UNPLAIN)) !== 0) break
        key[length++] = byte
        if (byte !== SPACE) last = at + 1
      }
      if (at === end || last === from || byte !== (c < columns ? COMMA : closer) || isNull(line, from, last)) return -1
      if (c === 1) into.keyStart = from
      else if (line[from - 1] !== COMMA) plain = false
      if (last !== at && c < columns) plain = false
      if (isNone(line, from, last)) plain = false
      length = before + last - from
      key[length++] = 0
      key[length++] = 1
      into.keyEnd = last
      at++
    }
    if (length > this.#limits.keyBytes) return -1
    into.input.keyLength = length
    into.plain = plain
    return at
  }

  /** SET's value and its `)`. */
  #value(line: Buffer, start: number, end: number, into: Statement): number {
    const from = blanks(line, start, end)
    const { input } = into
    const { values } = input
    let last = from
    let length = 0
    let byte = 0
    let at = from
    for (; at < end; at++) {
      byte = line[at]!
      if ((CLASS[byte]! & (STOP | UNPLAIN)) !== 0) break
      values[length++] = byte
      if (byte !== SPACE) last = at + 1
    }
    if (at === end || byte !== CLOSE || last === from || isNull(line, from, last)) return -1
    if (last - from > this.#limits.valueBytes) return -1
    input.count = 1
    input.columns[0] = 0
    input.nulls[0] = 0
    input.ends[0] = last - from
    into.valueStart = from
    into.valueEnd = last
    if (isNone(line, from, last)) into.plain = false
    return at + 1
  }

  /** GET's expectation, if there is one: a bare value or none. */
  #expected(line: Buffer, start: number, end: number, into: Statement): number {
    const equals = blanks(line, start, end)
    if (equals === end || line[equals] !== EQUALS) return equals
    const from = blanks(line, equals + 1, end)
    let last = from
    let at = from
    for (; at < end; at++) {
      const byte = line[at]!
      if ((CLASS[byte]! & (STOP | UNPLAIN)) !== 0) break
      if (byte !== SPACE) last = at + 1
    }
    if ((at < end && line[at] !== HASH) || last === from || isNull(line, from, last)) return -1
    if (isNone(line, from, last)) into.expected = 'none'
    else {
      if ((this.#kinds[into.table]! & VALUE_IS_TEXT) === 0 || last - from > this.#limits.valueBytes) return -1
      into.expected = { columns: FIRST_COLUMN, texts: [line.toString('latin1', from, last)] }
    }
    return at
  }
}

const FIRST_COLUMN: readonly number[] = Object.freeze([0])

function blanks(line: Buffer, start: number, end: number): number {
  let at = start
  while (at < end && (CLASS[line[at]!]! & BLANK) !== 0) at++
  return at
}

/** Where the name at `start` ends; `start` where there is none. */
function nameEnd(line: Buffer, start: number, end: number): number {
  if (start === end || (CLASS[line[start]!]! & NAME_START) === 0) return start
  let at = start + 1
  while (at < end && (CLASS[line[at]!]! & NAME) !== 0) at++
  return at
}

/** `set` or `get`, by their first letter. */
function isWord3(line: Buffer, at: number, first: number): boolean {
  return FOLD[line[at]!] === first && FOLD[line[at + 1]!] === 101 && FOLD[line[at + 2]!] === 116
}

const DELETE = Buffer.from('delete', 'latin1')

function isDelete(line: Buffer, at: number): boolean {
  for (let i = 0; i < DELETE.length; i++) if (FOLD[line[at + i]!] !== DELETE[i]) return false
  return true
}

/** Whether nothing but blanks and an ASCII comment is left. */
function isTail(line: Buffer, start: number, end: number): boolean {
  let at = blanks(line, start, end)
  if (at === end) return true
  if (line[at] !== HASH) return false
  while (at < end) if (line[at++]! > 127) return false
  return true
}
