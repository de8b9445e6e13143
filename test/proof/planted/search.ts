import { fileURLToPath } from 'node:url'
import type { Bug } from './bug.ts'
import { runNode } from './run-node.ts'
import type { Trees } from './tree.ts'

/** A seed in which a checker saw that a promise was broken. */
export interface Broken {
  readonly seed: number
  readonly invariant: string
  readonly message: string
  readonly events: number
}

/** What seeds came to. */
export interface Search {
  /** The first that broke what was expected. */
  readonly found?: Broken
  readonly tried: number
  /** What broke before in another way. */
  readonly others: readonly Broken[]
  /** Seconds of the processor. */
  readonly cpu: number
}

const CHILD = fileURLToPath(new URL('seeds.mjs', import.meta.url))
/** Longest time of one search. */
const SECONDS = 1_800

/** Runs seeds in a process of its own, over a tree, until one breaks one of the invariants. */
export async function search(
  tree: string,
  seeds: readonly number[],
  { breaks, plan }: { readonly breaks: readonly string[]; readonly plan?: Bug['plan'] | undefined },
): Promise<Search> {
  const said = await runNode([CHILD, JSON.stringify({ tree, seeds, breaks, plan })], { cwd: tree, seconds: SECONDS })
  return JSON.parse(said) as Search
}

/** The same with a bug planted. */
export async function searchBug(trees: Trees, bug: Bug, seeds: readonly number[]): Promise<Search> {
  const tree = await trees.withBug(bug)
  try {
    return await search(tree, seeds, bug)
  } finally {
    trees.drop(tree)
  }
}

/** Does `work` with each, at most `most` at a time. Rejects with the first error, once none is under way. */
export async function eachOf<T>(items: readonly T[], most: number, work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items]
  const next = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item)
  }
  const ended = await Promise.allSettled(Array.from({ length: most }, next))
  for (const end of ended) if (end.status === 'rejected') throw end.reason
}
