import { utf8Compare } from './bytes.ts'

const MAX_DEPTH = 200
const NUMBER_IN_JSON = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs

/**
 * The canonical text of a JSON document: no blanks, members sorted by the UTF-8 bytes of their names, numbers as the
 * shortest text that reads back the same; of members of one name the last stays. Refused where that would change the
 * document: numbers that a float64 doesn't hold exactly, lone surrogates; nesting beyond 200 levels. A reason tells
 * nothing of the document itself.
 */
export function canonicalJson(text: string): { readonly text: string } | { readonly reason: string } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    // The engine's own message may quote the document.
    const place = error instanceof Error ? / at position \d+/.exec(error.message) : null
    return { reason: `not JSON${place === null ? '' : `: an error${place[0]}`}` }
  }
  for (const [token] of text.matchAll(NUMBER_IN_JSON)) {
    if (!token.startsWith('"') && !sameNumber(token)) {
      return { reason: `a number in it doesn't fit a float64 exactly; write it as a string` }
    }
  }
  try {
    return { text: print(value, 0) }
  } catch (error) {
    return { reason: error instanceof Error ? error.message : 'unreadable' }
  }
}

/** Whether the shortest text of the float64 nearest to `token` is the same number as `token`. */
function sameNumber(token: string): boolean {
  const value = Number(token)
  return Number.isFinite(value) && digitsOf(token) === digitsOf(String(value))
}

/** A number's significant digits and its exponent, one spelling for each number. */
function digitsOf(token: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token)
  if (match === null) return token
  const fraction = match[3] ?? ''
  const all = (match[2]! + fraction).replace(/^0+/, '')
  let end = all.length // no /0+$/, which takes quadratic time over a long run of zeros
  while (end > 0 && all.charCodeAt(end - 1) === 48) end--
  const digits = all.slice(0, end)
  if (digits === '') return '0'
  return `${match[1]!}${digits}e${String(Number(match[4] ?? 0) - fraction.length + all.length - digits.length)}`
}

function print(value: unknown, depth: number): string {
  if (typeof value === 'string') return printString(value)
  if (typeof value === 'number') return Object.is(value, -0) ? '0' : String(value)
  if (typeof value === 'object' && value !== null && depth >= MAX_DEPTH) {
    throw new Error(`JSON nested deeper than ${String(MAX_DEPTH)} levels`)
  }
  if (Array.isArray(value)) return `[${value.map((item) => print(item, depth + 1)).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const names = Object.keys(value).sort(utf8Compare)
    const members = names.map(
      (name) => `${printString(name)}:${print((value as Record<string, unknown>)[name], depth + 1)}`,
    )
    return `{${members.join(',')}}`
  }
  return String(value)
}

function printString(text: string): string {
  if (!text.isWellFormed()) throw new Error('a string in it has a lone surrogate')
  return JSON.stringify(text)
}
