import { expect, it } from 'vitest'
import {
  LeaseKeeper,
  leaseTimes,
  momentOf,
  takeLease,
  type Holder,
  type LeaseWorld,
} from '../../src/connectors/lease.ts'

const times = leaseTimes(10_000, 100)
const owner = { logId: 'log', name: 'we', session: 'ours' }

/** Time stands still but while somebody sleeps, and where a test moves it. */
class World implements LeaseWorld {
  now = 0
  /** How much further the wall clock went: the other one stood still. */
  ahead = 0
  readonly clock = {
    milliseconds: () => this.now,
    nanoseconds: () => BigInt(this.now + this.ahead) * 1_000_000n,
  }
  readonly timers = {
    sleep: (milliseconds: number) => {
      this.now += milliseconds
      return Promise.resolve()
    },
  }
}

const holder = (pulse: string, more: Partial<Holder> = {}): Holder => ({ name: 'it', session: null, pulse, ...more })

/** Takes a lease whose holder is what `look` says at each time; when, or the code of the error. */
async function outcome(look: (now: number) => Holder | undefined, world = new World()): Promise<string> {
  const progress: string[] = []
  const held = await takeLease({
    ...{ world, times, owner },
    context: { access: 'write', directory: '', replica: 'R', progress: (message) => progress.push(message) },
    look: () => Promise.resolve({ holder: look(world.now), place: world.now }),
    take: (at) => Promise.resolve(at),
  }).catch((error: unknown) => `${String((error as { code?: unknown }).code)} at ${String(world.now)}`)
  expect(progress.length).toBe(world.now === 0 ? 0 : 1)
  return String(held)
}

it('I9: a lease is taken that is free, of our session, or was not renewed for its time, and no sooner', async () => {
  expect(await outcome(() => undefined)).toBe('0')
  expect(await outcome(() => holder('a', { session: 'ours' }))).toBe('0')
  expect(await outcome(() => holder('a'))).toBe('10000')
  expect(await outcome(() => holder('a', { lease: 25_000 }))).toBe('25000')
  // It ends while we wait; it dies while we wait.
  expect(await outcome((now) => (now < 300 ? holder('a') : undefined))).toBe('300')
  expect(await outcome((now) => holder(String(Math.min(now, 1_000))))).toBe('11000')
})

it('I9: a holder that lives is waited for a moment, in case it is ending, and then named', async () => {
  expect(await outcome((now) => holder(String(Math.floor(now / 2_000))))).toBe('DATABASE_LOCKED at 4000')
})

it('I9: who was stopped itself between two looks does not take the time for the silence of the holder', async () => {
  const world = new World()
  let looks = 0
  const look = () => {
    if (++looks === 2) world.now += 60_000
    return holder(looks < 3 ? 'a' : String(looks))
  }
  expect(await outcome(look, world)).toMatch(/DATABASE_LOCKED/)
})

function keeperOf(world: World, ask: () => Promise<boolean>): LeaseKeeper {
  // Nothing renews it in the background.
  const silent = { clock: world.clock, timers: { ...world.timers, sleep: () => new Promise<void>(() => undefined) } }
  return new LeaseKeeper(silent, times, 'R', momentOf(world), ask)
}

it('I9: a holder asks before it goes on when half of its time is over, by whichever clock, and ends where it lost it', async () => {
  const world = new World()
  let asked = 0
  let ours = true
  const keeper = keeperOf(world, () => {
    asked++
    return Promise.resolve(ours)
  })
  world.now = 5_000
  await keeper.check()
  expect(asked).toBe(0)
  world.now = 5_001
  await keeper.check()
  expect(asked).toBe(1)
  await keeper.check()
  world.ahead = 6_000
  await Promise.all([keeper.check(), keeper.check()])
  expect(asked).toBe(2)
  ours = false
  world.now += 6_000
  await expect(keeper.check()).rejects.toMatchObject({ code: 'DATABASE_LOCKED', place: { replica: 'R' } })
  await expect(keeper.check()).rejects.toMatchObject({ code: 'DATABASE_LOCKED' })
  expect(asked).toBe(3)
})

it('I9: a renewal that fails, or takes as long as the lease, lets nothing through', async () => {
  const world = new World()
  let ask = (): Promise<boolean> => Promise.reject(new Error('the connection'))
  const keeper = keeperOf(world, () => ask())
  world.now = 6_000
  await expect(keeper.check()).rejects.toThrow('the connection')
  ask = () => {
    world.now += 11_000
    return Promise.resolve(true)
  }
  await expect(keeper.check()).rejects.toMatchObject({ code: 'TIME_LIMIT' })
  ask = () => Promise.resolve(true)
  await keeper.check()
})
