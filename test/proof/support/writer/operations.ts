import type { SeededRandom } from '../../../../src/core/seeded-random.ts'
import type { TableSchema } from '../../../../src/core/table.ts'

/** What the writers write: one table of texts, of few keys, so that operations meet. */
export const TABLE: TableSchema = {
  name: 't',
  key: [{ name: 'k', type: { name: 'string' } }],
  values: [{ name: 'v', type: { name: 'string' } }],
}

export const KEYS: readonly string[] = Array.from({ length: 24 }, (_, i) => `k${String(i)}`)

/** The n-th operation of a state directory's life, through all its sessions: a later one has a greater stamp. */
export type Operation =
  | { readonly n: number; readonly op: 'set' | 'delete'; readonly replica: string; readonly key: string }
  | { readonly n: number; readonly op: 'merge'; readonly replica: string; readonly from: string }
  | { readonly n: number; readonly op: 'fullSync' | 'sync' }

/** Operations that a seed decides, numbered from `first`. */
export function operations(
  random: SeededRandom,
  replicas: readonly string[],
  { first, count }: { readonly first: number; readonly count: number },
): Operation[] {
  return Array.from({ length: count }, (_, i): Operation => {
    const n = first + i
    const replica = random.pick(replicas)
    const kind = random.below(100)
    if (kind === 0) return { n, op: 'fullSync' }
    if (kind === 1) return { n, op: 'sync' }
    if (kind < 6) {
      return { n, op: 'merge', replica, from: random.pick(replicas.filter((other) => other !== replica)) }
    }
    return { n, op: kind < 14 ? 'delete' : 'set', replica, key: random.pick(KEYS) }
  })
}

/** The value that SET number `n` writes: its number, and enough behind it that half of one is no other one. */
export function valueOf(n: number): string {
  const length = n % 101 === 0 ? 40_000 : n % 17 === 0 ? 3_000 : n % 40
  return `${String(n)}-${'x'.repeat(length)}.`
}

/** The number in a value; undefined where it isn't whole. */
export function numberIn(value: string): number | undefined {
  const n = Number(value.slice(0, value.indexOf('-')))
  return Number.isSafeInteger(n) && value === valueOf(n) ? n : undefined
}

/** An operation as a line of a script. */
export function lineOf(operation: Operation): string {
  switch (operation.op) {
    case 'set':
      return `${operation.replica}.SET(${operation.key},${valueOf(operation.n)})`
    case 'delete':
      return `${operation.replica}.DELETE(${operation.key})`
    case 'merge':
      return `${operation.replica}.MERGE(${operation.from})`
    case 'fullSync':
      return 'FULL_SYNC'
    case 'sync':
      return 'SYNC'
  }
}
