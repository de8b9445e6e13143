import { MerganserError } from '../core/errors.ts'
import { isLink } from '../environment/node-disk.ts'

/**
 * Throws STATE_UNUSABLE where a symbolic link stands in the place of a file or directory of an embedded database: what
 * is written through it would go elsewhere, with our rights.
 */
export async function refuseLinks(replica: string, ...paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if (!(await isLink(path))) continue
    throw new MerganserError('STATE_UNUSABLE', `a symbolic link stands where the database of ${replica} has its own`, {
      place: { file: path, replica },
      advice: 'take it away, or put in its place what it leads to; the state directory itself may be a link',
    })
  }
}
