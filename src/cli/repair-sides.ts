import type { Config } from '../config/config.ts'
import { MerganserError } from '../core/errors.ts'
import type { TableSchema } from '../core/table.ts'
import type { Difference } from '../verify/difference.ts'
import type { Shell } from './shell.ts'
import { several } from './table.ts'

export type SideConfig = Config['replicas'][number]

/**
 * Opens two replicas' databases for reading, gives the differences of a table to `work`, and closes them whatever
 * happens. Throws INTERRUPTED.
 */
export async function compared<T>(
  shell: Shell,
  config: Config,
  sides: readonly [SideConfig, SideConfig],
  table: TableSchema,
  work: (differences: AsyncIterable<Difference>) => Promise<T>,
): Promise<T> {
  const [{ differences }, { withSides }, { configuredConnector, realEnvironment }] = await Promise.all([
    import('../verify/differences.ts'),
    import('../verify/sides.ts'),
    import('../index.ts'),
  ])
  const environment = realEnvironment()
  const message = (text: string) => {
    shell.say(text)
  }
  const signal = shell.interrupted
  const setup = { environment, stateDirectory: config.state, message }
  const replicas = [await configuredConnector(sides[0]), await configuredConnector(sides[1])] as const
  try {
    return await work(
      withSides(setup, replicas, (left, right) => differences(left, right, table, { environment, signal })),
    )
  } catch (error) {
    if (!signal.aborted) throw error
    throw new MerganserError('INTERRUPTED', 'the comparison was interrupted', { cause: error })
  }
}

/**
 * The greatest time that the state directory knows of. Says, unless `quiet`, where a replica's oplog holds what its
 * database lacks: the comparison then sees a difference that the next flush would settle.
 */
export async function greatestKnown(
  shell: Shell,
  config: Config,
  sides: readonly [SideConfig, SideConfig],
  quiet: boolean,
): Promise<bigint> {
  const [{ sessionSetup }, { pendingRecords }, { positionsPath }, { decodePositions }, { readPositions }] =
    await Promise.all([
      import('../index.ts'),
      import('../engine/copy.ts'),
      import('../engine/opening.ts'),
      import('../engine/positions.ts'),
      import('../oplog/positions.ts'),
    ])
  const events = { message: () => undefined, expectationFailed: () => undefined, problem: () => undefined }
  const setup = await sessionSetup({ ...config, replicas: [...sides] }, { events })
  for (const { name } of quiet ? [] : sides) {
    const pending = await pendingRecords(setup, name)
    if (pending === 0) continue
    shell.say(
      `${name}: ${several(pending, 'record')} of its oplog ${pending === 1 ? "isn't" : "aren't"} in its database yet: ` +
        '`merganser sync` brings it there',
    )
  }
  const path = positionsPath(config.state)
  const content = await readPositions(setup.environment.disk, path)
  const known = content === undefined ? [] : [...decodePositions(content, path).values()]
  return known.reduce((greatest, { highWater }) => (highWater > greatest ? highWater : greatest), 0n)
}
