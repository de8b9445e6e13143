import type { World } from './world.ts'

/** One test of the kit. Cases share one open store, each with tables of its own, unless they open another. */
export interface Case {
  /** A sentence. */
  readonly name: string
  /** Milliseconds. */
  readonly timeLimit?: number
  run(world: World): Promise<void>
}
