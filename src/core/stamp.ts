/**
 * A stamp: a time in nanoseconds since 1970 (UTC) of the session's clock and the origin that wrote. The total
 * order of all stamps, time first, then the origin's name by bytes, decides every conflict (I1).
 */
export interface Stamp {
  readonly time: bigint
  /** An origin's name: ASCII letters, digits and `_` only, so that `<` on strings is the order of its bytes. */
  readonly origin: string
}

/** The greatest time that fits 64 bits: 2262-04-11. */
export const MAX_TIME = 2n ** 63n - 1n

/** Length of `2026-11-22 15:11:21.956711651Z`. */
export const TIME_TEXT_LENGTH = 30

const NANOS = 1_000_000_000n

/** The second of the last time that was shown, from its first nanosecond: times that follow are mostly of the same. */
let shown = -1n
let shownText = ''
/** The texts of seconds shown lately: where times of a few seconds take turns, as in version vectors. */
const secondTexts = new Map<number, string>()
const MOST_TEXTS = 64

/** The nanoseconds of a time within its second, which is the one shown from here on. */
function nanosShown(time: bigint): number {
  const nanos = shown < 0n ? -1 : Number(time - shown)
  if (nanos >= 0 && nanos < 1_000_000_000) return nanos
  const second = time / NANOS
  shown = second * NANOS
  shownText = secondText(Number(second))
  return Number(time - shown)
}

function secondText(second: number): string {
  let text = secondTexts.get(second)
  if (text === undefined) {
    text = new Date(second * 1000).toISOString().slice(0, 19).replace('T', ' ') + '.'
    if (secondTexts.size === MOST_TEXTS) secondTexts.clear()
    secondTexts.set(second, text)
  }
  return text
}

/** The text form of a time: fixed width, so that times sort by their bytes. */
export function timeText(time: bigint): string {
  const nanos = nanosShown(time)
  return shownText + String(nanos + 1_000_000_000).slice(1) + 'Z'
}

/** Writes the text form of a time into bytes; gives where it ends. There must be room for TIME_TEXT_LENGTH bytes. */
export function writeTime(bytes: Uint8Array, start: number, time: bigint): number {
  let nanos = nanosShown(time)
  const end = start + TIME_TEXT_LENGTH
  for (let i = 0; i < shownText.length; i++) bytes[start + i] = shownText.charCodeAt(i)
  for (let at = end - 2; at >= end - 10; at--) {
    const tenth = (nanos / 10) | 0
    bytes[at] = 48 + nanos - tenth * 10
    nanos = tenth
  }
  bytes[end - 1] = 90
  return end
}

/** The full text form, `2026-11-22 15:11:21.956711651Z@HIVE`; sorts by bytes as stamps do. */
export function stampText(stamp: Stamp): string {
  return `${timeText(stamp.time)}@${stamp.origin}`
}

/** Negative, zero or positive as `a` is less than, equal to or greater than `b`. */
export function compareStamps(a: Stamp, b: Stamp): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1
  return a.origin === b.origin ? 0 : a.origin < b.origin ? -1 : 1
}

/** The greater of two stamps, where a missing one is less than any. */
export function laterStamp(a: Stamp | undefined, b: Stamp | undefined): Stamp | undefined {
  if (a === undefined) return b
  if (b === undefined) return a
  return compareStamps(a, b) >= 0 ? a : b
}

const TIME_PATTERN = /^(\d{4})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})\.(\d{9})Z$/
const ORIGIN_PATTERN = /^[A-Z_][A-Z0-9_]*$/

/** The nanoseconds of a time's text within the second that is shown; -1 where it is of another second, or no time. */
function nanosWithin(text: string): number {
  if (shown < 0n || text.length !== TIME_TEXT_LENGTH || !text.startsWith(shownText) || !text.endsWith('Z')) return -1
  let nanos = 0
  for (let i = shownText.length; i < TIME_TEXT_LENGTH - 1; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return -1
    nanos = nanos * 10 + digit
  }
  return nanos
}

/** Reads a time of the exact form that `timeText` writes; undefined where it isn't one or no such moment exists. */
export function parseTime(text: string): bigint | undefined {
  const nanos = nanosWithin(text)
  if (nanos >= 0) return inRange(shown + BigInt(nanos))
  const match = TIME_PATTERN.exec(text)
  if (match === null) return undefined
  const milliseconds = Date.parse(`${match[1]!}-${match[2]!}-${match[3]!}T${match[4]!}:${match[5]!}:${match[6]!}Z`)
  if (Number.isNaN(milliseconds) || milliseconds < 0) return undefined
  const time = BigInt(milliseconds) * 1_000_000n + BigInt(match[7]!)
  // Date.parse accepts 24:00:00 and rolls some dates over: only what prints the same is a stamp.
  return timeText(time) === text ? inRange(time) : undefined
}

function inRange(time: bigint): bigint | undefined {
  return time <= MAX_TIME ? time : undefined
}

/** Reads a full stamp; `origin` stands in where the text has no `@ORIGIN`. Undefined where it isn't one. */
export function parseStamp(text: string, origin?: string): Stamp | undefined {
  const time = parseTime(text.slice(0, TIME_TEXT_LENGTH))
  if (time === undefined) return undefined
  if (text.length === TIME_TEXT_LENGTH) return origin === undefined ? undefined : { time, origin }
  const named = text.slice(TIME_TEXT_LENGTH + 1)
  if (text[TIME_TEXT_LENGTH] !== '@' || !ORIGIN_PATTERN.test(named)) return undefined
  return { time, origin: named }
}
