import type { Connector, ConnectorOptions } from '../../src/connectors/connector.ts'
import type { TableSchema } from '../../src/core/table.ts'
import { NodeClock } from '../../src/environment/node-clock.ts'
import { NodeRandom } from '../../src/environment/node-random.ts'
import { inlineThreads } from '../../src/environment/node-threads.ts'
import { NodeTimers } from '../../src/environment/node-timers.ts'
import { hostStores } from '../../src/lanes/host.ts'
import { Lane } from '../../src/lanes/lane.ts'
import { StorePool } from '../../src/lanes/pool.ts'

export interface TestLane {
  readonly lane: Lane
  /** What it told of waiting and trying again. */
  readonly messages: string[]
}

/** The way to a database as a session has it, with its order and its repetitions. */
export function laneTo(connector: Connector, options: ConnectorOptions, tables: readonly TableSchema[]): TestLane {
  const messages: string[] = []
  const threads = inlineThreads((port) => {
    hostStores(port, () => Promise.resolve(connector))
  })
  const lane = new Lane({
    pool: new StorePool(threads, 1),
    open: {
      ...{ type: connector.type, options: connector.options(options), access: 'write', directory: 'unused' },
      ...{ owner: { logId: 'log', name: 'the test', session: 'of the test' }, replica: 'R' },
    },
    tables,
    retrySeconds: 60,
    environment: { clock: new NodeClock(), timers: new NodeTimers(), random: new NodeRandom() },
    events: {
      opened: () => Promise.resolve(),
      progress: (message) => messages.push(message),
    },
  })
  return { lane, messages }
}
