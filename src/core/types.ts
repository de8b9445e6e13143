import { canonicalJson } from './json.ts'

/**
 * The canonical types. A value's canonical form is text: one spelling for each value, the same in scripts, oplogs,
 * digests and between threads; its bytes are that text in UTF-8.
 */
export type TypeName = 'string' | 'int64' | 'float64' | 'decimal' | 'boolean' | 'bytes' | 'date' | 'timestamp' | 'json'

/** A column's type. `decimal` has digits in all and after the point; `timestamp` a number of second digits. */
export interface ColumnType {
  readonly name: TypeName
  /** decimal only: digits in all, 1 to 38 */
  readonly precision?: number
  /** decimal: digits after the point; timestamp: 0 to 9 digits of a second */
  readonly scale?: number
}

/** What `parseValue` gives: the canonical text, or why the text is no value of the type. */
export type Parsed = { readonly text: string } | { readonly reason: string }

const TYPE_PATTERN = /^([a-z0-9]+)(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?$/
const NAMES: readonly TypeName[] = [
  'string',
  'int64',
  'float64',
  'decimal',
  'boolean',
  'bytes',
  'date',
  'timestamp',
  'json',
]

/** Reads a type's spelling: `int64`, `decimal(38,18)`, `timestamp(6)`; undefined where there is no such type. */
export function parseType(spelling: string): ColumnType | undefined {
  const match = TYPE_PATTERN.exec(spelling.trim().toLowerCase())
  const name = match?.[1] as TypeName | undefined
  if (match === null || name === undefined || !NAMES.includes(name)) return undefined
  const first = match[2] === undefined ? undefined : Number(match[2])
  const second = match[3] === undefined ? undefined : Number(match[3])
  if (name === 'decimal') {
    const precision = first ?? 38
    const scale = second ?? (first === undefined ? 18 : 0)
    return precision >= 1 && precision <= 38 && scale <= precision ? { name, precision, scale } : undefined
  }
  if (name === 'timestamp') {
    const scale = first ?? 9
    return scale <= 9 && second === undefined ? { name, scale } : undefined
  }
  return first === undefined ? { name } : undefined
}

/** The spelling that `parseType` reads. */
export function typeText(type: ColumnType): string {
  if (type.name === 'decimal') return `decimal(${String(type.precision ?? 38)},${String(type.scale ?? 18)})`
  if (type.name === 'timestamp' && (type.scale ?? 9) !== 9) return `timestamp(${String(type.scale)})`
  return type.name
}

/** Whether a type may stand in a key: equality and order of float64 and json differ between databases. */
export function keyable(type: ColumnType): boolean {
  return type.name !== 'float64' && type.name !== 'json'
}

const bad = (reason: string): Parsed => ({ reason })

const MIN_INT64 = -(2n ** 63n)
const MAX_INT64 = 2n ** 63n - 1n

function parseInt64(text: string): Parsed {
  if (!/^[+-]?\d{1,40}$/.test(text)) return bad('an int64 is written with digits, like -42')
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text)
  if (value < MIN_INT64 || value > MAX_INT64) return bad('an int64 is from -9223372036854775808 to 9223372036854775807')
  return { text: String(value) }
}

// One way only to match a run of digits: two would take quadratic time to refuse a long one.
const FLOAT_PATTERN = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/

function parseFloat64(text: string): Parsed {
  const special = /^([+-]?)(nan|inf(?:inity)?)$/i.exec(text)
  if (special !== null) {
    if (special[2]!.toLowerCase() === 'nan') return { text: 'NaN' }
    return { text: special[1] === '-' ? '-Infinity' : 'Infinity' }
  }
  if (!FLOAT_PATTERN.test(text)) return bad('a float64 is written like 1.5, 2e-3, NaN or -Infinity')
  const value = Number(text)
  // Digits round to the nearest float64; what would become an infinity or zero isn't near any.
  if (!Number.isFinite(value) || (value === 0 && /[1-9]/.test(text.split(/[eE]/)[0]!))) {
    return bad('a float64 is from 5e-324 to 1.7976931348623157e+308 in size')
  }
  return { text: floatText(value) }
}

/** The shortest text that reads back as the same float64; -0 keeps its sign. */
export function floatText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

function parseDecimal(text: string, precision: number, scale: number): Parsed {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text)
  if (match === null || (match[2]! === '' && (match[3] ?? '') === '')) {
    return bad('a decimal is written with digits and a point, like -12.50')
  }
  let whole = match[2]!
  let fraction = match[3] ?? ''
  if (whole.length + fraction.length > 2000) return bad('a decimal has at most 2,000 digits where it is read')
  const exponent = Number(match[4] ?? 0)
  if (exponent > 0) {
    whole += fraction.slice(0, exponent).padEnd(exponent, '0')
    fraction = fraction.slice(exponent)
  } else if (exponent < 0) {
    const padded = whole.padStart(-exponent, '0')
    fraction = padded.slice(padded.length + exponent) + fraction
    whole = padded.slice(0, padded.length + exponent)
  }
  whole = whole.replace(/^0+/, '')
  fraction = fraction.replace(/0+$/, '')
  if (fraction.length > scale || whole.length > precision - scale) {
    return bad(
      `the column holds ${String(precision - scale)} digits before the point and ${String(scale)} after it, exactly`,
    )
  }
  const digits = (whole === '' ? '0' : whole) + (fraction === '' ? '' : `.${fraction}`)
  return { text: match[1] === '-' && digits !== '0' ? `-${digits}` : digits }
}

function parseBoolean(text: string): Parsed {
  const lower = text.toLowerCase()
  return lower === 'true' || lower === 'false' ? { text: lower } : bad('a boolean is true or false')
}

function parseBytes(text: string): Parsed {
  if (!/^\\x(?:[0-9a-fA-F]{2})*$/.test(text)) return bad('bytes are written in hexadecimal behind \\x, like \\x00ff')
  return { text: text.toLowerCase() }
}

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/
const TIMESTAMP = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?Z$/

function isDate(text: string): boolean {
  const match = DATE.exec(text)
  if (match === null || match[1] === '0000') return false
  const parsed = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().slice(0, 10) === text
}

function parseDate(text: string): Parsed {
  return isDate(text) ? { text } : bad('a date is a day from 0001-01-01 to 9999-12-31, written YYYY-MM-DD')
}

function parseTimestamp(text: string, digits: number): Parsed {
  const match = TIMESTAMP.exec(text)
  if (match === null || !isDate(match[1]!) || match[2]! > '23' || match[3]! > '59' || match[4]! > '59') {
    return bad('a timestamp is UTC, written YYYY-MM-DD HH:MM:SS[.fraction]Z, from year 0001 to 9999')
  }
  const fraction = (match[5] ?? '').replace(/0+$/, '')
  if (fraction.length > digits) return bad(`the column holds ${String(digits)} digits of a second`)
  return { text: `${match[1]!} ${match[2]!}:${match[3]!}:${match[4]!}${fraction === '' ? '' : `.${fraction}`}Z` }
}

/** The canonical text of a value that is given as text; the reason where it doesn't fit the type. */
export function parseValue(type: ColumnType, text: string): Parsed {
  switch (type.name) {
    case 'string':
      return text.isWellFormed() ? { text } : bad('a string is Unicode text without lone surrogates')
    case 'int64':
      return parseInt64(text)
    case 'float64':
      return parseFloat64(text)
    case 'decimal':
      return parseDecimal(text, type.precision ?? 38, type.scale ?? 18)
    case 'boolean':
      return parseBoolean(text)
    case 'bytes':
      return parseBytes(text)
    case 'date':
      return parseDate(text)
    case 'timestamp':
      return parseTimestamp(text, type.scale ?? 9)
    case 'json':
      return canonicalJson(text)
  }
}

/** How a program sees a value of each type. */
export type JsValue = string | bigint | number | boolean | Uint8Array | null | object

/** A program's value from canonical text: int64 as bigint, bytes as Uint8Array, json parsed; the rest as its text. */
export function toJs(type: ColumnType, text: string): JsValue {
  switch (type.name) {
    case 'int64':
      return BigInt(text)
    case 'float64':
      return Number(text)
    case 'boolean':
      return text === 'true'
    case 'bytes':
      return Uint8Array.from(Buffer.from(text.slice(2), 'hex'))
    case 'json':
      return JSON.parse(text) as JsValue
    default:
      return text
  }
}

/** The canonical text of a program's value; numbers are taken for int64 where they are safe integers. */
export function fromJs(type: ColumnType, value: unknown): Parsed {
  if (type.name === 'json') {
    return jsonFromJs(value)
  }
  switch (typeof value) {
    case 'string':
      return parseValue(type, value)
    case 'bigint':
      return type.name === 'int64' || type.name === 'decimal' ? parseValue(type, String(value)) : bad(mismatch(type))
    case 'number':
      if (type.name === 'float64') return { text: floatText(value) }
      return type.name === 'int64' && Number.isSafeInteger(value) ? { text: String(value) } : bad(mismatch(type))
    case 'boolean':
      return type.name === 'boolean' ? { text: String(value) } : bad(mismatch(type))
    default:
      if (value instanceof Uint8Array && type.name === 'bytes') {
        return { text: '\\x' + Buffer.from(value.buffer, value.byteOffset, value.length).toString('hex') }
      }
      if (value instanceof Date && (type.name === 'timestamp' || type.name === 'date')) {
        if (Number.isNaN(value.getTime())) return bad('an invalid Date')
        const iso = value.toISOString()
        return parseValue(type, type.name === 'date' && iso.endsWith('T00:00:00.000Z') ? iso.slice(0, 10) : iso)
      }
      return bad(mismatch(type))
  }
}

/** JSON.stringify writes NaN and the infinities as null, and throws for a bigint or a circle: refused alike. */
function jsonFromJs(value: unknown): Parsed {
  try {
    const text = JSON.stringify(value, (_name, member: unknown) => {
      if (typeof member === 'number' && !Number.isFinite(member)) throw new TypeError('JSON has no NaN or Infinity')
      return member
    }) as string | undefined
    return text === undefined ? bad('not a JSON value') : canonicalJson(text)
  } catch {
    return bad('not a JSON value: it holds a bigint, NaN, an infinity or itself, or is nested too deep')
  }
}

function mismatch(type: ColumnType): string {
  const expected: Record<TypeName, string> = {
    string: 'a string',
    int64: 'a bigint or a safe integer',
    float64: 'a number',
    decimal: 'a string of digits or a bigint',
    boolean: 'a boolean',
    bytes: 'a Uint8Array',
    date: 'a string YYYY-MM-DD or a Date at midnight UTC',
    timestamp: 'a Date or a string like 2026-11-22 15:11:21Z',
    json: 'a JSON value',
  }
  return `expected ${expected[type.name]}`
}
