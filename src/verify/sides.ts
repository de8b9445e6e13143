import { MerganserError } from '../core/errors.ts'
import type { Environment } from '../environment/environment.ts'
import { databaseDirectory } from '../engine/opening.ts'
import { refuseStateLinks } from '../engine/state-links.ts'
import type { ReplicaSetup } from '../engine/setup.ts'
import { StorePool } from '../lanes/pool.ts'
import type { Side } from './difference.ts'
import { SideStore } from './side-store.ts'

const RETRY_SECONDS = 60

export interface SidesSetup {
  readonly environment: Environment
  readonly stateDirectory: string
  /** Messages for people. */
  readonly message: (text: string) => void
  /** How long a database may stay away in the middle of it; 60 by default. */
  readonly retrySeconds?: number
  /** Ends waiting for one that is away. */
  readonly signal?: AbortSignal
}

/**
 * Opens the databases of two replicas for reading, each in a thread of its own so that both are read at the same time,
 * does `work`, and closes them whatever happens. Takes no lock. A connection that is lost meanwhile is opened anew.
 * Throws SAME_REPLICA, and as `Connector.open` does.
 */
export async function* withSides<T>(
  setup: SidesSetup,
  replicas: readonly [ReplicaSetup, ReplicaSetup],
  work: (left: Side, right: Side) => AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  if (replicas[0].name === replicas[1].name) {
    throw new MerganserError('SAME_REPLICA', `${replicas[0].name} can't be compared with itself`, {
      place: { replica: replicas[0].name },
      advice: 'name two replicas',
    })
  }
  const pool = new StorePool(setup.environment.threads, replicas.length)
  const opened = await Promise.allSettled(replicas.map((replica) => openSide(setup, pool, replica)))
  try {
    for (const result of opened) if (result.status === 'rejected') throw result.reason
    const [left, right] = opened.map((result) => (result as PromiseFulfilledResult<OpenSide>).value)
    yield* work(left!, right!)
  } finally {
    await Promise.allSettled(
      opened.map(async (result) => {
        if (result.status === 'fulfilled') await result.value.store.close()
      }),
    )
    await pool.close()
  }
}

interface OpenSide extends Side {
  readonly store: SideStore
}

async function openSide(setup: SidesSetup, pool: StorePool, replica: ReplicaSetup): Promise<OpenSide> {
  const { environment, stateDirectory, message, retrySeconds = RETRY_SECONDS, signal } = setup
  const { name, connector, options } = replica
  const directory = databaseDirectory(stateDirectory, name)
  await refuseStateLinks(environment.disk, stateDirectory, [directory])
  if ((await connector.absent?.(options, directory)) === true) {
    message(`${name}: its database is not there yet`)
  }
  const store = await SideStore.open({ environment, pool, replica, stateDirectory, retrySeconds, message, signal })
  return { name, store, capabilities: connector.capabilities }
}
