import { join } from 'node:path'
import { MerganserError } from '../core/errors.ts'
import type { Disk } from '../environment/environment.ts'

/**
 * Throws STATE_UNUSABLE where a symbolic link stands in the place of a directory of the state directory: what is
 * written below it would go elsewhere. The state directory itself may be one. Files are looked at when they are opened.
 *
 * @param databases the directories of databases that are opened
 */
export async function refuseStateLinks(
  disk: Disk,
  stateDirectory: string,
  databases: readonly string[],
): Promise<void> {
  const own = ['databases', 'copies', 'repairs'].map((name) => join(stateDirectory, name))
  for (const path of [...own, ...databases]) {
    if ((await disk.isLink?.(path)) !== true) continue
    throw new MerganserError('STATE_UNUSABLE', 'a symbolic link stands where a directory of the state should be', {
      place: { file: path },
      advice: 'take it away, or put in its place what it leads to; the state directory itself may be a link',
    })
  }
}
