import { setTimeout as sleep } from 'node:timers/promises'
import type { StampedRow } from '../../../src/core/batch.ts'

/** What a database holds, looked at past Merganser and past whatever lies between. */
export type Look = () => Promise<readonly StampedRow[]>

/**
 * Looks at a database again and again: no row may ever show less than it did before (I5), and no value may change under
 * its stamp. A look that fails is none: the server may be away.
 */
export class Witness {
  readonly problems: string[] = []
  looks = 0
  #before = new Map<string, StampedRow>()
  #watching: Promise<void> | undefined
  #stopped = false
  readonly #look: Look

  constructor(look: Look) {
    this.#look = look
  }

  /** Begins to look, so many milliseconds between two looks. */
  watch(milliseconds: number): void {
    this.#watching = (async () => {
      while (!this.#stopped) {
        await this.#glance().catch(() => undefined)
        await sleep(milliseconds)
      }
    })()
  }

  /** The last look, which must not fail. */
  async end(): Promise<readonly StampedRow[]> {
    this.#stopped = true
    await this.#watching
    return await this.#glance()
  }

  async #glance(): Promise<readonly StampedRow[]> {
    const rows = await this.#look()
    const now = new Map(rows.map((row) => [JSON.stringify(row.key), row]))
    for (const [key, before] of this.#before) {
      const problem = fallen(before, now.get(key))
      if (problem !== undefined) this.problems.push(`${key}: ${problem}`)
    }
    this.#before = now
    this.looks++
    return rows
  }
}

/** What is worse about a row than it was; undefined where nothing is. */
function fallen(before: StampedRow, after: StampedRow | undefined): string | undefined {
  if (after === undefined) return 'the row is gone'
  for (const [c, cell] of before.cells.entries()) {
    // In normal form a tombstone stands for registers that it covers, and falls when all columns outlived it.
    const [was, is] = [reached(before, c), reached(after, c)]
    if (is < was) return `column ${String(c)} fell from ${was} to ${is === '' ? 'nothing' : is}`
    const now = after.cells[c]
    if (cell !== null && now != null && cell.stamp === now.stamp && cell.value !== now.value) {
      return `column ${String(c)} changed under its stamp ${cell.stamp}`
    }
  }
  return undefined
}

/** The greatest stamp that a column of a row is known up to. */
function reached({ cells, deleted }: StampedRow, column: number): string {
  const stamp = cells[column]?.stamp ?? ''
  return deleted !== null && deleted > stamp ? deleted : stamp
}

/**
 * A row from `k`, `a`, its stamp, `b`, its stamp and the tombstone, as they stand in a table `t (k) -> (a, b)`. In normal
 * form: a database may keep a tombstone that all columns have outlived.
 */
export function rowOf([k, a, aStamp, b, bStamp, tombstone]: readonly unknown[]): StampedRow {
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)
  const cell = (value: unknown, stamp: unknown) => (typeof stamp === 'string' ? { value: text(value), stamp } : null)
  const cells = [cell(a, aStamp), cell(b, bStamp)]
  const deleted = text(tombstone)
  const outlived = deleted !== null && cells.every((one) => one !== null && one.stamp > deleted)
  return { key: [String(k)], cells, deleted: outlived ? null : deleted }
}
