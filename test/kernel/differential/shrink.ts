import { simpler, type Kind, type Operation } from './operations.ts'

/**
 * Fewer and simpler operations that still fail: first halves are left out, then quarters, then single ones, as long as
 * there is time.
 * @param why what a list of operations fails with; undefined where it doesn't fail
 */
export function shrink<Why>(
  operations: readonly Operation[],
  why: (operations: readonly Operation[]) => Why | undefined,
  hasTime: () => boolean,
): { readonly operations: readonly Operation[]; readonly why: Why | undefined } {
  let best = operations
  let reason: Why | undefined
  const take = (tried: readonly Operation[]): boolean => {
    const found = why(tried)
    if (found === undefined) return false
    best = tried
    reason = found
    return true
  }
  for (const group of groupsOf(operations)) {
    if (!hasTime()) break
    const rest = best.filter((operation) => !group(operation))
    if (rest.length < best.length) take(rest)
  }
  for (let size = operations.length >> 1; size >= 1 && hasTime(); size = size >> 1) {
    let from = best.length - size
    while (from > -size && hasTime()) {
      take([...best.slice(0, Math.max(0, from)), ...best.slice(from + size)])
      from -= size
    }
    // Single ones again and again: each that goes may set another free.
    if (size === 1 && best.length < operations.length) {
      let before
      do {
        before = best.length
        for (let i = best.length - 1; i >= 0 && hasTime(); i--) take([...best.slice(0, i), ...best.slice(i + 1)])
      } while (best.length < before && hasTime())
    }
  }
  for (let i = 0; i < best.length && hasTime(); i++) simplify(i, () => best, take)
  return { operations: best, why: reason }
}

/** What may go at once: all of a kind, all of a table, all of a replica. */
function groupsOf(operations: readonly Operation[]): ((operation: Operation) => boolean)[] {
  // What takes longest first: the other tries are shorter then.
  const kinds = new Set<Kind>(['compare', 'fullSync', 'changes', 'walk', 'rollback', 'merge', 'learn'])
  for (const { kind } of operations) kinds.add(kind)
  const of = (field: 'table' | 'replica' | 'into', number: number) => (operation: Operation) =>
    field in operation && (operation as Partial<Record<typeof field, number>>)[field] === number
  return [
    ...[...kinds].map((kind) => (operation: Operation) => operation.kind === kind),
    ...[0, 1, 2, 3, 4, 5, 6].flatMap((number) =>
      (['replica', 'into', 'table'] as const).map((field) => of(field, number)),
    ),
  ]
}

/** Replaces one operation by simpler ones as long as that fails too. */
function simplify(
  at: number,
  best: () => readonly Operation[],
  take: (operations: readonly Operation[]) => boolean,
): void {
  for (let tries = 0; tries < 100; tries++) {
    const now = best()
    const replaced = [...simpler(now[at]!)].some((operation) =>
      take([...now.slice(0, at), operation, ...now.slice(at + 1)]),
    )
    if (!replaced) return
  }
}
