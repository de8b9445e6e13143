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
      expect(world.texts(result.changed).sort()).toEqual(['k: a=3@3A b=4@5A', 'l: a=x@4A'])
      expect(result).toMatchObject({ rows: 2, upTo: 5, done: true, records: 5 })
    })

    test('only what changed after the position is given; reads move it on', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1' })
      const first = world.state.records(0)
      world.set('A', 'l', { a: '1' })
      const second = world.state.records(0)
      world.look('A', 'k')
      expect(keysAfter(world, first)).toEqual(['l'])
      expect(world.state.changes(0, second, ALL)).toMatchObject({ rows: 0, upTo: 3, done: true, records: 3 })
    })

    test('I6: bounded, it goes on where it ended, and only the last call completes the prefix', () => {
      const world = new World(make)
      for (const key of ['moves', 'k', 'l', 'm']) world.set('A', key, { a: '1' })
      const first = world.state.changes(0, 0, rowsOf(2))
      expect(first).toMatchObject({ rows: 2, done: false, records: 4 })
      // It changes again behind what was given: it comes again, also from a position that was handed out later.
      world.set('A', 'moves', { b: '2' })
      const second = world.state.changes(0, first.upTo, rowsOf(2))
      expect(second).toMatchObject({ rows: 2, done: false, records: 5 })
      const last = world.state.changes(0, second.upTo, rowsOf(2))
      expect(world.texts(last.changed)).toEqual(['moves: a=1@1A b=2@5A'])
      expect(last).toMatchObject({ upTo: 5, done: true })
    })

    test('a row read back that changes again is a change after the position that a session before had recorded', () => {
      const world = new World(make)
      world.state.startAt(0, 1)
      world.state.restore(0, 0, world.fill('k', { a: '1' }).input, { time: 1n, origin: 'A' }, false)
      world.state.mark('open')
      world.set('A', 'k', { a: '2' })
      world.set('A', 'l', { a: '2' })
      expect(keysAfter(world, 1).sort()).toEqual(['k', 'l'])
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
      expect(keysAfter(world, 0).sort()).toEqual(['k', 'l'])
      const position = world.state.records(0)
      world.undo('A')
      expect(keysAfter(world, position)).toEqual(['l'])
    })

    test('a replayed line that changed nothing is flushed again, as the row is: its database may have lost it', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1' }, { time: 5n, origin: 'A' })
      world.remove('A', 'l', { time: 6n, origin: 'A' })
      expect(world.state.changes(0, 0, ALL)).toMatchObject({ rows: 2, upTo: 2, done: true })
      world.set('A', 'k', { a: '0' }, { time: 4n, origin: 'A' })
      world.remove('A', 'l', { time: 6n, origin: 'A' })
      const again = world.state.changes(0, 2, ALL)
      expect(world.texts(again.changed).sort()).toEqual(['k: a=1@5A', 'l: !6A'])
      expect(again.upTo).toBe(4)
      // What changed nothing is nothing to take back.
      expect([world.undo('A').length, world.undo('A').length, world.undo('A').length]).toEqual([1, 1, 0])
    })

    test('what is forgotten is not given again; a later change of the same row is', () => {
      const world = new World(make)
      for (const key of ['k', 'l']) world.set('A', key, { a: '1' })
      expect(world.state.records(0)).toBe(2)
      world.set('A', 'm', { a: '1' })
      world.state.forget(0, 2)
      expect(keysAfter(world, 2)).toEqual(['m'])
      world.set('A', 'k', { a: '2' })
      expect(keysAfter(world, 2).sort()).toEqual(['k', 'm'])
      expect(world.state.records(0)).toBe(4)
      world.state.forget(0, 4)
      world.set('A', 'l', { a: '2' })
      expect(keysAfter(world, 4)).toEqual(['l'])
    })

    test('overwriting again and again keeps order and counts, across compactions', () => {
      const world = new World(make)
      const latest = new Map<string, number>()
      const positions: number[] = []
      for (let i = 0; i < 60_000; i++) {
        const key = `k${String((i * 7919) % (i % 2 === 0 ? 5 : 9000))}`
        world.set('A', key, { a: String(i) })
        latest.set(key, i + 1)
        if (i % 7000 === 3000 || i === 59_990) positions.push(world.state.records(0))
        if (i % 5000 === 4000) world.state.forget(0, positions.findLast((position) => position < i - 100) ?? 0)
      }
      for (const from of [...positions.slice(-3), 60_000]) {
        const expected = [...latest].filter(([, record]) => record > from)
        expect(keysAfter(world, from).sort()).toEqual(expected.map(([key]) => key).sort())
        expect(world.state.pending(0, from)).toEqual([expected.length, 0])
        expect(world.state.changed(0, from)).toBe(expected.length > 0)
      }
      expect(world.state.rows()).toBe(latest.size)
    })
  })
}
