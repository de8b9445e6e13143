import { normalRow, type Register, type Row } from '../../src/core/row.ts'
import type { Stamp } from '../../src/core/stamp.ts'
import type { Draws } from './random.ts'

/** Few values, so that equal stamps meet equal and different ones. */
export const VALUES = ['x', 'y', '', '\uffff', '\u{10000}', null]

/** Few distinct stamps, so that they tie. */
export function drawStamp(draws: Draws): Stamp {
  return { time: BigInt(1 + draws.below(3)), origin: draws.of(['A', 'B']) }
}

export function drawRegister(draws: Draws): Register | undefined {
  return draws.below(4) === 0 ? undefined : { value: draws.of(VALUES), stamp: drawStamp(draws) }
}

export function drawRow(draws: Draws): Row {
  return normalRow([drawRegister(draws), drawRegister(draws)], draws.below(3) === 0 ? drawStamp(draws) : undefined)
}
