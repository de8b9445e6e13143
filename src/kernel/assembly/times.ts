import { copyBytes, getU16, getU32, getU64, getU8, setU16, setU64, setU8, takeStatic } from './memory'
import { CAPITAL_Z, COLON, DASH, DOT, eightDigits, isDigit, noDigitsIn, SPACE, ZERO } from './characters'

/*
 * Times as text, `2026-11-22 15:11:21.956711651Z`. Those that follow each other are mostly of one second and of one ten
 * thousandth of it: that much of the last text is kept.
 */

export const TIME_BYTES: u32 = 30
/** `2026-11-22 15:11:21.` */
const SECOND_BYTES: u32 = 20
const NANOS: i64 = 1000000000
const DAY: i64 = 86400
/** Nanoseconds whose text differs in its last four digits only. */
const LAST_DIGITS: u32 = 10000

/** The first and the last year whose every moment is a stamp. */
const FIRST_YEAR: u32 = 1970
const LAST_YEAR: u32 = 2261

/** `00` to `99` */
let pairs: usize = 0
/** The last time that was written, but for its last four digits; the first time that begins like it, and its second. */
let written: usize = 0
let writtenFrom: i64 = -1
let writtenSecond: i64 = -1
/** The second that was read last, as text, and its first nanosecond. */
let read: usize = 0
let readFrom: i64 = -1

export function initTimes(): void {
  pairs = takeStatic(200)
  for (let i: u32 = 0; i < 100; i++) setU16(pairs + i * 2, ZERO + i / 10 + ((ZERO + (i % 10)) << 8))
  written = takeStatic(32)
  read = takeStatic(32)
}

/** Writes two digits. */
function putPair(to: usize, value: u32): void {
  setU16(to, getU16(pairs + value * 2))
}

/** Writes a time as 30 bytes; gives where they end. */
export function putTime(to: usize, time: i64): usize {
  let rest = (time - writtenFrom) as u64
  if (rest >= (LAST_DIGITS as u64) || writtenFrom < 0) rest = turnTo(time)
  setU64(to, getU64(written))
  setU64(to + 8, getU64(written + 8))
  setU64(to + 16, getU64(written + 16))
  setU8(to + 24, getU8(written + 24))
  const last = rest as u32
  putPair(to + 25, last / 100)
  putPair(to + 27, last % 100)
  setU8(to + 29, CAPITAL_Z)
  return to + TIME_BYTES
}

/** Keeps the text of a time; gives its last four digits. */
function turnTo(time: i64): u64 {
  if (writtenSecond < 0 || ((time - writtenSecond) as u64) >= (NANOS as u64)) turnToSecond(time)
  const nanos = (time - writtenSecond) as u32
  const last = nanos % LAST_DIGITS
  const first = nanos / LAST_DIGITS
  setU8(written + 20, ZERO + first / 10000)
  putPair(written + 21, (first / 100) % 100)
  putPair(written + 23, first % 100)
  writtenFrom = time - (last as i64)
  return last as u64
}

function turnToSecond(time: i64): void {
  assert(time >= 0, 'times begin in 1970')
  const second = time / NANOS
  writtenSecond = second * NANOS
  putDate(written, (second / DAY) as u32)
  const inDay = (second % DAY) as u32
  setU8(written + 10, SPACE)
  putPair(written + 11, inDay / 3600)
  setU8(written + 13, COLON)
  putPair(written + 14, (inDay / 60) % 60)
  setU8(written + 16, COLON)
  putPair(written + 17, inDay % 60)
  setU8(written + 19, DOT)
}

/** Writes the date of a day since 1970. The calendar repeats every 400 years; a year is counted from March. */
function putDate(to: usize, day: u32): void {
  const fromMarch = day + 719468
  const era = fromMarch / 146097
  const inEra = fromMarch % 146097
  const yearOfEra = (inEra - inEra / 1460 + inEra / 36524 - inEra / 146096) / 365
  const inYear = inEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
  const fromMarchMonth = (5 * inYear + 2) / 153
  const month = fromMarchMonth < 10 ? fromMarchMonth + 3 : fromMarchMonth - 9
  const year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
  putPair(to, year / 100)
  putPair(to + 2, year % 100)
  setU8(to + 4, DASH)
  putPair(to + 5, month)
  setU8(to + 7, DASH)
  putPair(to + 8, inYear - (153 * fromMarchMonth + 2) / 5 + 1)
}

/** Two digits as a number; more than 99 where they aren't digits. */
function pairAt(p: usize): u32 {
  const first = getU8(p)
  const second = getU8(p + 1)
  return isDigit(first) && isDigit(second) ? (first - ZERO) * 10 + second - ZERO : 1000
}

/** The day since 1970 of the date at `p`, of the years 1970 to 2261; -1 where there is none. */
export function dateAt(p: usize): i32 {
  const year = pairAt(p) * 100 + pairAt(p + 2)
  const month = pairAt(p + 5)
  const day = pairAt(p + 8)
  if (getU8(p + 4) != DASH || getU8(p + 7) != DASH) return -1
  if (year < FIRST_YEAR || year > LAST_YEAR || month - 1 >= 12 || day - 1 >= daysOf(year, month)) return -1
  const fromMarch = month > 2 ? year : year - 1
  const inEra = fromMarch % 400
  const inYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
  return ((fromMarch / 400) * 146097 + inEra * 365 + inEra / 4 - inEra / 100 + inYear - 719468) as i32
}

function daysOf(year: u32, month: u32): u32 {
  if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31
}

/** The second of its day of the time at `p`, `15:11:21`; -1 where there is none. */
export function timeOfDayAt(p: usize): i32 {
  const hour = pairAt(p)
  const minute = pairAt(p + 3)
  const second = pairAt(p + 6)
  if (getU8(p + 2) != COLON || getU8(p + 5) != COLON || hour > 23 || minute > 59 || second > 59) return -1
  return (hour * 3600 + minute * 60 + second) as i32
}

/** The time whose text is at `p`; -1 where there is none, or one beyond 2261. Up to 36 bytes are read. */
export function timeAt(p: usize): i64 {
  if (getU64(p) != getU64(read) || getU64(p + 8) != getU64(read + 8) || getU32(p + 16) != getU32(read + 16)) {
    if (!readSecond(p)) return -1
  }
  const word = getU64(p + SECOND_BYTES)
  const last = getU8(p + 28)
  if (noDigitsIn(word) != 0 || !isDigit(last) || getU8(p + 29) != CAPITAL_Z) return -1
  return readFrom + ((eightDigits(word) * 10 + last - ZERO) as i64)
}

function readSecond(p: usize): bool {
  const day = dateAt(p)
  const second = timeOfDayAt(p + 11)
  if (day < 0 || second < 0 || getU8(p + 10) != SPACE || getU8(p + 19) != DOT) return false
  copyBytes(read, p, SECOND_BYTES)
  readFrom = ((day as i64) * DAY + (second as i64)) * NANOS
  return true
}
