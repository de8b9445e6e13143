import { memoryConnector } from '../../testkit/memory-connector.ts'
import { ModelState } from '../../../src/core/model/model-state.ts'
import { MerganserError } from '../../../src/core/errors.ts'
import type { TableSchema } from '../../../src/core/table.ts'
import { DEFAULT_DURABILITY, DEFAULT_LIMITS } from '../../../src/config/config.ts'
import type { Connector, ReplicaStore } from '../../../src/connectors/connector.ts'
import { openSession, type Session } from '../../../src/engine/session.ts'
import type { EngineSetup } from '../../../src/engine/setup.ts'
import type { Environment, Processes } from '../../../src/environment/environment.ts'
import { inlineThreads } from '../../../src/environment/node-threads.ts'
import { nodeEnvironment } from '../../../src/environment/node.ts'
import { hostStores } from '../../../src/lanes/host.ts'
import { SimulatedDisk } from '../../../src/simulation/disk.ts'
import { Names } from '../../../src/simulation/files.ts'
import type { Schedule } from '../../../src/simulation/schedule.ts'
import type { Chance } from '../../../src/simulation/seeds.ts'
import { hooked, Told } from '../../engine/support.ts'

const REAL = nodeEnvironment(new URL('file:///nowhere'))
/** Nobody else is there. */
const processes: Processes = {
  self: 'the only process',
  lock: () => Promise.resolve({ lock: { release: () => Promise.resolve() } }),
}
const NO_FAULTS = { strike: () => undefined }
const NO_LIFE = {} as ConstructorParameters<typeof SimulatedDisk>[2]

/** A disk and databases in memory, which outlive the sessions that work with them. */
export class InstantWorld {
  readonly names = new Names()
  readonly connector: Connector = memoryConnector()
  readonly #chance: Chance
  readonly #replicas: readonly string[]
  readonly #table: TableSchema
  readonly #makeState: EngineSetup['makeState']

  constructor(
    chance: Chance,
    replicas: readonly string[],
    table: TableSchema,
    makeState: EngineSetup['makeState'] = (limits) => new ModelState(limits),
  ) {
    this.#chance = chance
    this.#replicas = replicas
    this.#table = table
    this.#makeState = makeState
  }

  async open(): Promise<Life> {
    const told = new Told()
    let dead = false
    const gone = () => Promise.reject(new MerganserError('DATABASE_REFUSED', 'dead'))
    const stores: ReplicaStore[] = []
    const open: Connector['open'] = async (options, context) => {
      const store = await this.connector.open(options, context)
      stores.push(store)
      return store
    }
    const connector = hooked({ ...this.connector, open }, () => (dead ? gone() : undefined))
    // Nothing takes time; and what a dead process had asked for never happens.
    const schedule = { after: () => (dead ? new Promise(() => undefined) : Promise.resolve()) } as unknown as Schedule
    const environment: Environment = {
      ...REAL,
      disk: new SimulatedDisk(this.names, schedule, NO_LIFE, this.#chance, NO_FAULTS, false),
      threads: inlineThreads((port) => {
        hostStores(port, () => Promise.resolve(connector))
      }),
      processes,
    }
    const session = await openSession({
      environment,
      stateDirectory: '/state',
      tables: [this.#table],
      replicas: this.#replicas.map((name) => ({ name, connector: this.connector, options: {} })),
      aliases: {},
      dryRun: false,
      flush: true,
      fresh: false,
      acceptLoss: false,
      workers: 50,
      limits: DEFAULT_LIMITS,
      durability: { ...DEFAULT_DURABILITY, commitMilliseconds: 0 },
      retrySeconds: 30,
      makeState: this.#makeState,
      ...told.heard,
    })
    const die = async (power: boolean): Promise<void> => {
      dead = true
      if (power) this.names.lose(this.#chance)
      // The databases see that it is gone.
      for (const store of stores) await store.close()
    }
    return { session, told, die }
  }
}

/** One session in it. */
export interface Life {
  readonly session: Session
  readonly told: Told
  /** The process is killed; with `power`, what wasn't synced is lost in part. */
  readonly die: (power: boolean) => Promise<void>
}
