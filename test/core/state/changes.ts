import { describe, expect, test } from 'vitest'
import { ALL, rowsOf, World, type MakeState } from './world.ts'

export function changeSemantics(name: string, make: MakeState): void {
  describe(`${name}: changes to flush`, () => {
    const keysAfter = (world: World, from: number) =>
      world.texts(world.state.changes(0, from, ALL).changed).map((text) => text.split(':')[0])

    test('a row that changed often is given once, as it is now', () => {
      const world = new World(make)
      for (const value of ['1', '2', '3']) world.set('A', 'k', { a: value })
      world.set('A', 'l', { a: 'x' })
      world.set('A', 'k', { b: '4' })
      const result = world.state.changes(0, 0, ALL)
      expect(world.texts(result.changed)).toEqual(['l: a=x@4A', 'k: a=3@3A b=4@5A'])
      expect(result).toMatchObject({ rows: 2, upTo: 5, done: true, records: 5 })
    })

    test('only what changed after the position is given; reads move it on', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1' })
      world.set('A', 'l', { a: '1' })
      world.look('A', 'k')
      expect(keysAfter(world, 1)).toEqual(['l'])
      expect(world.state.changes(0, 2, ALL)).toMatchObject({ rows: 0, upTo: 3, done: true, records: 3 })
    })

    test('I6: bounded, it goes on where it ended, and only the last call completes the prefix', () => {
      const world = new World(make)
      world.set('A', 'moves', { a: '1' })
      for (const key of ['k', 'l']) world.set('A', key, { a: '1' })
      world.set('A', 'moves', { b: '2' })
      const first = world.state.changes(0, 0, rowsOf(2))
      // "moves" changed first at record 1, below `upTo`, and hasn't come yet: a log read again from 3 lacks it.
      expect(first).toMatchObject({ rows: 2, upTo: 3, done: false, records: 4 })
      const last = world.state.changes(0, first.upTo, rowsOf(2))
      expect(world.texts(last.changed)).toEqual(['moves: a=1@1A b=2@4A'])
      expect(last).toMatchObject({ upTo: 4, done: true })
    })

    test('exactly as many rows as asked for are all', () => {
      const world = new World(make)
      for (const key of ['k', 'l']) world.set('A', key, { a: '1' })
      world.look('A', 'k')
      expect(world.state.changes(0, 0, rowsOf(2))).toMatchObject({ rows: 2, upTo: 3, done: true })
    })

    test('merged, undone and deleted rows are changes too', () => {
      const world = new World(make)
      world.set('B', 'k', { a: '1' })
      world.merge('A', 'B')
      world.remove('A', 'l')
      expect(keysAfter(world, 0)).toEqual(['k', 'l'])
      world.undo('A')
      expect(keysAfter(world, 2)).toEqual(['l'])
    })

    test('a replayed line that changed nothing is no change', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1' }, { time: 5n, origin: 'A' })
      world.set('A', 'k', { a: '0' }, { time: 4n, origin: 'A' })
      expect(keysAfter(world, 1)).toEqual([])
      expect(world.state.changes(0, 1, ALL).upTo).toBe(2)
    })

    test('what is forgotten is not given again; a later change of the same row is', () => {
      const world = new World(make)
      for (const key of ['k', 'l', 'm']) world.set('A', key, { a: '1' })
      world.state.forget(0, 2)
      expect(keysAfter(world, 2)).toEqual(['m'])
      world.set('A', 'k', { a: '2' })
      expect(keysAfter(world, 2)).toEqual(['m', 'k'])
      world.state.forget(0, 4)
      world.set('A', 'l', { a: '2' })
      expect(keysAfter(world, 4)).toEqual(['l'])
    })

    test('overwriting again and again keeps order and counts, across compactions', () => {
      const world = new World(make)
      const latest = new Map<string, number>()
      for (let i = 0; i < 20_000; i++) {
        const key = `k${String((i * 7919) % (i % 2 === 0 ? 5 : 90))}`
        world.set('A', key, { a: String(i) })
        latest.set(key, i + 1)
        if (i % 5000 === 4000) world.state.forget(0, i - 100)
      }
      for (const from of [14_000, 19_000, 19_990, 20_000]) {
        const expected = [...latest].filter(([, record]) => record > from).sort((x, y) => x[1] - y[1])
        expect(keysAfter(world, from)).toEqual(expected.map(([key]) => key))
      }
      expect(world.state.rows()).toBe(latest.size)
    })
  })
}
