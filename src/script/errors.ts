import { MerganserError, type ErrorCode } from '../core/errors.ts'
import { displayText, blanksLike } from './display.ts'

/** Up to this column a line is shown from its beginning. */
const WHOLE_LEFT = 70
/** Further right it is cut: an ellipsis, then as many characters that the caret stands under the next one. */
const KEPT_LEFT = 60
const KEPT_RIGHT = 60
const ELLIPSIS = '\u2026'

/** A refusal of a line: `at` is the offset in `line` of what it is about. */
export function problemAt(
  code: ErrorCode,
  line: Buffer,
  range: { readonly start: number; readonly end: number },
  at: number,
  message: string,
  advice?: string,
): MerganserError {
  const column = charactersIn(line, range.start, at) + 1
  const place = { column, text: excerpt(line, range.start, range.end, at, column) }
  return new MerganserError(code, message, advice === undefined ? { place } : { place, advice })
}

function continues(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80
}

function charactersIn(line: Buffer, start: number, end: number): number {
  let count = 0
  for (let i = start; i < end; i++) if (!continues(line[i])) count++
  return count
}

/** The line, or what is around `at` of a long one, fit to be shown. */
function excerpt(line: Buffer, start: number, end: number, at: number, column: number): string {
  let first = start
  if (column > WHOLE_LEFT) {
    first = at
    for (let kept = 0; kept < KEPT_LEFT && first > start; kept++) {
      do first--
      while (first > start && continues(line[first]))
    }
  }
  let last = at
  for (let kept = 0; kept < KEPT_RIGHT && last < end; kept++) {
    do last++
    while (last < end && continues(line[last]))
  }
  const cut = displayText(line.toString('utf8', first, last))
  return (first > start ? ELLIPSIS : '') + cut + (last < end ? ELLIPSIS : '')
}

/** Says in which file and line an error of a line happened; what the error says already stays. */
export function located(error: MerganserError, file: string | undefined, line: number): MerganserError {
  if (file !== undefined) error.place.file ??= file
  error.place.line ??= line
  return error
}

/**
 * An error as it is shown: `file:line:column: CODE: message`, the line with a caret under the column, the advice.
 * Before the message the replica, and the table, where it doesn't name them itself. As much of it as is known; without
 * a newline at the end.
 */
export function renderProblem(error: MerganserError): string {
  const { file, line, column, text } = error.place
  const where = [file === undefined ? undefined : displayText(file), line, column].filter((part) => part !== undefined)
  const known = line !== undefined || file !== undefined
  const lines = [`${known ? `${where.join(':')}: ` : ''}${error.code}: ${whose(error)}${displayText(error.message)}`]
  if (text !== undefined) {
    const shown = displayText(text)
    lines.push(`    ${shown}`)
    if (column !== undefined) lines.push(`    ${blanksLike(shown, caretAfter(shown, column))}^`)
  }
  if (error.advice !== undefined) lines.push(`    ${displayText(error.advice)}`)
  return lines.join('\n')
}

/** The replica and table of an error whose message doesn't name the replica: `HIVE: `, `HIVE, table grades: `. */
function whose({ message, place: { replica, table } }: MerganserError): string {
  if (replica === undefined || message.split(/\W+/).includes(replica)) return ''
  const more = table === undefined || message.includes(table) ? '' : `, table ${displayText(table)}`
  return `${displayText(replica)}${more}: `
}

/** How many characters of the shown text stand before the caret. */
function caretAfter(text: string, column: number): number {
  const cut = text.startsWith(ELLIPSIS) && column > WHOLE_LEFT
  return cut ? KEPT_LEFT + 1 : column - 1
}

/** A name or text as it may stand in a message: not too long. */
export function brief(text: string): string {
  const characters = Array.from(text.slice(0, 200))
  return displayText(characters.length <= 60 ? text : `${characters.slice(0, 59).join('')}${ELLIPSIS}`)
}
