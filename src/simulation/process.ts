import type { Connector } from '../connectors/connector.ts'
import type { Environment, Port, Thread } from '../environment/environment.ts'
import { hostStores } from '../lanes/host.ts'
import { simulatedConnector } from './connector.ts'
import { crossed } from './crossing.ts'
import { SimulatedDisk, type DiskCall } from './disk.ts'
import type { Life } from './schedule.ts'
import type { Chance } from './seeds.ts'
import type { World } from './world.ts'

export interface ProcessListener {
  /** It was killed. */
  killed(): void
  /** So many keys of a replica are being looked up. */
  reading(replica: number, keys: number): void
  /** A replica's database has carried out what this process asked. */
  served(replica: number, wrote: boolean): void
}

interface RunningThread {
  end(error: Error | undefined): void
}

/**
 * One process of the simulated world: everything that a session takes from the outside, in virtual time. When it is
 * killed nothing that it has going on happens any more.
 */
export class SimulatedProcess {
  readonly life: Life = { ended: false }
  readonly environment: Environment
  readonly #world: World
  readonly #disk: SimulatedDisk
  readonly #threads: RunningThread[] = []
  readonly #chance: Chance
  readonly #listener: ProcessListener

  constructor(world: World, number: number, listener: ProcessListener) {
    this.#world = world
    this.#listener = listener
    const name = `process ${String(number)}`
    this.#chance = world.chance(name)
    const { schedule, names, plan } = world
    this.#disk = new SimulatedDisk(
      names,
      schedule,
      this.life,
      world.chance(`disk of ${name}`),
      this.#faults(),
      plan.seals,
    )
    const identities = world.chance(`identities of ${name}`)
    this.environment = {
      clock: { nanoseconds: () => world.wall(), milliseconds: () => schedule.now / 1_000 },
      timers: {
        sleep: (milliseconds, signal) => this.#sleep(milliseconds, signal),
        after: (milliseconds, call) => {
          const off: Life = { ended: false }
          schedule.at(milliseconds * 1_000, off, () => {
            if (!this.life.ended) call()
          })
          return () => {
            off.ended = true
          }
        },
        yield: () => schedule.after(1, this.life),
      },
      random: { hex: (digits) => identities.hex(digits), fraction: () => identities.fraction() },
      disk: this.#disk,
      threads: { start: () => this.#thread() },
      processes: {
        self: name,
        lock: (path) => {
          const holder = world.locks.get(path)
          if (holder?.ended === false && holder !== this.life) return Promise.resolve({ holder: 'another process' })
          world.locks.set(path, this.life)
          const release = () => {
            if (world.locks.get(path) === this.life) world.locks.delete(path)
            return Promise.resolve()
          }
          return Promise.resolve({ lock: { release } })
        },
      },
    }
  }

  /** The connector to a replica's database; its type is the replica's name. */
  connector(type: string): Connector {
    const world = this.#world
    const replica = world.plan.replicas.indexOf(type)
    return simulatedConnector(
      world.servers,
      {
        schedule: world.schedule,
        life: this.life,
        world: world.life,
        chance: this.#chance,
        injected: world.inject,
        reading: (keys) => {
          this.#listener.reading(replica, keys)
        },
        served: (wrote) => {
          if (!this.life.ended) this.#listener.served(replica, wrote)
        },
        halves: () => (world.healed ? 0 : world.plan.halves),
      },
      type,
    )
  }

  /** The process dies. */
  kill(): void {
    if (this.life.ended) return
    this.#disk.crash()
    this.end()
    this.#listener.killed()
  }

  /** It is over: nothing that it has going on happens any more. */
  end(): void {
    if (this.life.ended) return
    this.life.ended = true
    this.#world.died()
  }

  /** One of its threads ends of an error; its number is taken modulo their count. */
  endThread(number: number): void {
    const thread = this.#threads[number % Math.max(1, this.#threads.length)]
    for (const { link } of this.#world.servers.values()) link.troubled(0)
    thread?.end(new Error('the thread ran into a fault'))
  }

  #faults() {
    return {
      strike: (call: DiskCall): 'EIO' | 'ENOSPC' | undefined => {
        const world = this.#world
        const writes = call === 'append' || call === 'replaceFile' || call === 'create'
        if (writes && world.schedule.now < world.fullUntil) {
          world.inject('disk full')
          world.diskFailed = world.schedule.now
          return 'ENOSPC'
        }
        const { struck } = world
        if (struck?.call !== call || struck.after-- > 0) return undefined
        world.struck = undefined
        world.inject(`failed ${call}`)
        world.diskFailed = world.schedule.now
        return 'EIO'
      },
    }
  }

  #sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
    const { schedule } = this.#world
    return new Promise((resolve, reject) => {
      const abort = () => {
        reject(signal!.reason as Error)
      }
      if (signal?.aborted === true) {
        abort()
        return
      }
      signal?.addEventListener('abort', abort, { once: true })
      schedule.at(milliseconds * 1_000, this.life, () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      })
    })
  }

  /** A thread without a thread: messages cross as structured clones, one after the other, each at a time of its own. */
  #thread(): Thread {
    const { schedule } = this.#world
    const life: Life = { ended: false }
    const exits: ((error: Error | undefined) => void)[] = []
    const way = () => {
      const listeners: ((message: unknown) => void)[] = []
      let last = 0
      const post = (message: unknown) => {
        const copy = crossed(message)
        // They keep their order.
        last = Math.max(last + 1, schedule.now + this.#chance.delay(5))
        schedule.at(last - schedule.now, this.life, () => {
          if (!life.ended) for (const listener of listeners) listener(copy)
        })
      }
      return { post, listen: (listener: (message: unknown) => void) => void listeners.push(listener) }
    }
    const [toHost, toOwner] = [way(), way()]
    const port: Port = { post: toOwner.post, onMessage: toHost.listen }
    hostStores(port, (type) => Promise.resolve(this.connector(type)))
    const end = (error: Error | undefined) => {
      if (life.ended) return
      life.ended = true
      const at = this.#threads.indexOf(running)
      if (at >= 0) this.#threads.splice(at, 1)
      for (const listener of exits) listener(error)
    }
    const running = { end }
    this.#threads.push(running)
    return {
      post: toHost.post,
      onMessage: toOwner.listen,
      onExit: (listener) => void exits.push(listener),
      terminate: () => {
        end(undefined)
        return Promise.resolve()
      },
    }
  }
}
