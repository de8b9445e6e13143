import { describe, expect, test } from 'vitest'
import { World, type MakeState } from './world.ts'

const at = (time: bigint, origin = 'A') => ({ time, origin })

export function digestSemantics(name: string, make: MakeState): void {
  describe(`${name}: digests`, () => {
    const digestOf = (write: (world: World) => void) => {
      const world = new World(make)
      write(world)
      return world.state.digest(0, 0)
    }

    test('an empty table has the digest of nothing', () => {
      expect(digestOf(() => undefined)).toEqual({ hash: '0000000000000000', rows: 0 })
    })

    test('the order of writes and who wrote do not matter', () => {
      const keys = Array.from({ length: 100 }, (_, i) => `k${String(i)}`)
      const forward = digestOf((world) => {
        keys.forEach((key, i) => world.set('A', key, { a: 'x' }, at(BigInt(i), 'Q')))
      })
      const backward = digestOf((world) => {
        keys
          .map((key, i) => [key, i] as const)
          .reverse()
          .forEach(([key, i]) => world.set('B', key, { a: 'x' }, at(BigInt(i), 'Q')))
        world.merge('A', 'B')
      })
      expect(backward).toEqual(forward)
      expect(forward.rows).toBe(100)
    })

    test('any difference in key, column, value, null, stamp or tombstone gives another digest', () => {
      const time = 2n ** 40n
      const variants: ((world: World) => void)[] = [
        () => undefined,
        (world) => world.set('A', 'k', { a: 'x' }, at(time)),
        (world) => world.set('A', 'l', { a: 'x' }, at(time)),
        (world) => world.set('A', 'k\0', { a: 'x' }, at(time)),
        (world) => world.set('A', 'k', { b: 'x' }, at(time)),
        (world) => world.set('A', 'k', { a: 'x', b: 'x' }, at(time)),
        (world) => world.set('A', 'k', { a: 'x', b: null }, at(time)),
        (world) => world.set('A', 'k', { a: 'y' }, at(time)),
        (world) => world.set('A', 'k', { a: '' }, at(time)),
        (world) => world.set('A', 'k', { a: '\0' }, at(time)),
        (world) => world.set('A', 'k', { a: null }, at(time)),
        (world) => world.set('A', 'k', { a: 'é' }, at(time)),
        (world) => world.set('A', 'k', { a: 'e\u0301' }, at(time)),
        (world) => world.set('A', 'k', { a: 'x' }, at(time + 1n)),
        (world) => world.set('A', 'k', { a: 'x' }, at(time + 2n ** 32n)),
        (world) => world.set('A', 'k', { a: 'x' }, at(time, 'B')),
        (world) => world.remove('A', 'k', at(time)),
        (world) => world.remove('A', 'l', at(time)),
        (world) => world.remove('A', 'k', at(time, 'B')),
        (world) => {
          world.remove('A', 'k', at(1n))
          world.set('A', 'k', { a: 'x' }, at(time))
        },
      ]
      expect(new Set(variants.map((variant) => digestOf(variant).hash)).size).toBe(variants.length)
    })

    test('values that swap keys or columns give another digest', () => {
      const one = digestOf((world) => world.set('A', 'k', { a: 'x', b: 'y' }, at(1n)))
      const two = digestOf((world) => world.set('A', 'k', { a: 'y', b: 'x' }, at(1n)))
      expect(one.hash).not.toBe(two.hash)
    })

    test('few of many small tables share a digest: none of 20,000', () => {
      const seen = new Set<string>()
      const world = new World(make)
      for (let i = 0; i < 20_000; i++) {
        world.set('A', `k${String(i % 10)}`, { a: String(i) })
        seen.add(world.state.digest(0, 0).hash)
      }
      expect(seen.size).toBe(20_000)
    })

    test('rows counts those that exist', () => {
      const digest = digestOf((world) => {
        world.set('A', 'k', { a: 'x' })
        world.set('A', 'l', { a: null })
        world.remove('A', 'k')
      })
      expect(digest.rows).toBe(1)
    })

    test('only keys that a replica wrote or took since the opening count, and then of every replica', () => {
      const world = new World(make)
      world.set('A', 'before', { a: 'x' })
      world.state.mark('open')
      expect(world.state.digest(0, 0).rows).toBe(0)
      world.look('A', 'before')
      world.learn('A', ['read'], { read: { deleted: '2026-01-01 00:00:00.000000000Z@A' } })
      expect(world.state.digest(0, 0).rows).toBe(0)
      world.set('B', 'before', { a: 'y' })
      expect(world.state.digest(0, 0).rows).toBe(1)
      expect(world.state.digest(2, 0)).toEqual({ hash: '0000000000000000', rows: 0 })
    })

    test('each table has a digest of its own', () => {
      const world = new World(make)
      world.set('A', '1/k', { v: 'x' })
      expect(world.state.digest(0, 0).rows).toBe(0)
      expect(world.state.digest(0, 1).rows).toBe(1)
    })
  })
}
