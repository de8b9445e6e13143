import type { Chance } from './seeds.ts'
import type { World } from './world.ts'

/** A damaged file, and how its bit is put right. */
export interface FlippedBit {
  readonly path: string
  readonly undo: () => void
}

/** One bit of a file that recovery relies on is another one; undefined where there is none that could be told. */
export function flipBit(world: World, chance: Chance): FlippedBit | undefined {
  const { names } = world
  const paths = names.paths().filter((path) => /\/(?:oplogs\.[a-z]+(?:\.\d+)?|positions)$/.test(path))
  if (paths.length === 0) return undefined
  const path = chance.pick(paths)
  const content = names.get(path)!
  if (content.bytes.length === 0) return undefined
  const before = content.bytes
  const after = Buffer.from(before)
  // A batch that nothing follows can't be told from a torn one: damage of the last one is a tail that is set aside.
  const last = before.lastIndexOf('\n# seal ')
  const sealed = path.endsWith('/positions') ? before.length : before.lastIndexOf('\n# seal ', last - 1)
  if (sealed <= 0) return undefined
  const at = chance.below(sealed)
  after[at] = after[at]! ^ (1 << chance.below(8))
  content.bytes = after
  world.inject('bit flipped')
  const undo = () => {
    // Recovery may have cut it, or the session have written more.
    const now = Buffer.from(content.bytes)
    if (now.length > at && now[at] === after[at]) now[at] = before[at]!
    content.bytes = now
  }
  return { path, undo }
}
