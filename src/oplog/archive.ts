import { join } from 'node:path'
import { timeText } from '../core/stamp.ts'
import type { Disk, WallClock } from '../environment/environment.ts'
import { stateError } from './failure.ts'

/**
 * Moves files and directories of the state directory into `archive-<time>-<n>/` below it; names that aren't there are
 * passed over. Nothing is deleted. Durable on return; after a crash some are moved, and a second call moves the rest
 * into an archive of its own. Returns the archive's path; undefined where there was nothing to move.
 * Throws STATE_FULL, STATE_UNUSABLE.
 *
 * @param names directly below `directory`
 */
export async function archive(
  environment: { readonly disk: Disk; readonly clock: WallClock },
  directory: string,
  names: readonly string[],
): Promise<string | undefined> {
  const { disk, clock } = environment
  try {
    const there = await disk.list(directory)
    const moved = names.filter((name) => there.includes(name))
    if (moved.length === 0) return undefined
    // `20261122T151121Z`: sorts by time and is a file name everywhere.
    const time = timeText(clock.nanoseconds()).slice(0, 19).replace(/[-:]/g, '').replace(' ', 'T') + 'Z'
    let n = 1
    while (there.includes(`archive-${time}-${String(n)}`)) n++
    const target = join(directory, `archive-${time}-${String(n)}`)
    await disk.makeDirectory(target)
    for (const name of moved) await disk.rename(join(directory, name), join(target, name))
    await disk.syncDirectory(target)
    await disk.syncDirectory(directory)
    return target
  } catch (error) {
    throw stateError(error, 'moving the old state away', directory)
  }
}
