import { describe, expect, test } from 'vitest'
import { ALL, stored, World, type MakeState } from './world.ts'

/** A and B whose databases may hold stamps up to 100; what is written from now on is above. */
function floored(make: MakeState, ...names: string[]): World {
  const world = new World(make)
  for (const name of names) world.state.floor(world.id(name), 100n)
  world.now = 100n
  return world
}

const old = (time: bigint) => ({ time, origin: 'B' })

export function floorSemantics(name: string, make: MakeState): void {
  describe(`${name}: floor and complete rows`, () => {
    test('I14: without a floor every row is complete, even an absent one', () => {
      const world = new World(make)
      expect(world.held('A', 'k')).toEqual({ row: undefined, complete: true })
    })

    test('I14: with a floor a row is complete once it was looked up, found or not', () => {
      const world = floored(make, 'A')
      expect(world.held('A', 'k').complete).toBe(false)
      world.set('A', 'k', { a: 'x' })
      expect(world.held('A', 'k').complete).toBe(false)
      world.learn('A', ['k', 'absent'])
      expect(world.held('A', 'k').complete).toBe(true)
      expect(world.held('A', 'absent')).toEqual({ row: undefined, complete: true })
      expect(world.held('A', 'other').complete).toBe(false)
    })

    test('I14: a row whose every column is above the floor needs no look-up', () => {
      const world = floored(make, 'A')
      world.set('A', 'k', { a: 'x', b: 'x' })
      expect(world.held('A', 'k').complete).toBe(true)
      world.remove('A', 'gone')
      expect(world.held('A', 'gone').complete).toBe(true)
    })

    test('a higher floor makes rows incomplete again, a lower one changes nothing', () => {
      const world = floored(make, 'A')
      world.learn('A', ['k'])
      world.state.floor(0, 50n)
      expect(world.held('A', 'k').complete).toBe(true)
      world.state.floor(0, 200n)
      expect(world.held('A', 'k').complete).toBe(false)
    })

    test('I14: learning joins without a record, a stamp or a change', () => {
      const world = floored(make, 'A')
      world.set('A', 'k', { a: 'new' })
      const found = { k: { cells: { a: stored('old', 5n, 'A'), b: stored('old', 6n, 'B') } } }
      expect(world.learn('A', ['k'], found)).toEqual({ foreign: [], greatest: 6n })
      expect(world.state.records(0)).toBe(1)
      expect(world.look('A', 'k')).toBe('a=new@101A b=old@6B')
      world.learn('A', ['l'], { l: { cells: { a: stored('x', 7n, 'A') } } })
      expect(world.state.changes(0, 0, ALL).rows).toBe(1)
      expect(world.state.vector(0).get('B')).toBeUndefined()
    })

    test('I6: a merge logs what the cache had only learned, so that whoever saw that log has seen what it saw', () => {
      const world = new World(make)
      world.set('C', 'k', { a: 'x', b: 'y' })
      world.state.floor(world.id('B'), 100n)
      // B's database holds C's row already; B's log doesn't.
      world.learn('B', ['k'], { k: { cells: { a: stored('x', 1n, 'C'), b: stored('y', 1n, 'C') } } })
      const before = world.state.records(world.id('B'))
      const merged = world.mergeOnce('B', 'C')
      expect(merged.rows).toBe(0)
      expect(world.state.records(world.id('B'))).toBe(before + 1)
      expect(world.mergeOnce('B', 'C').took).toHaveLength(0)
      world.mergeOnce('A', 'B')
      expect(world.look('A', 'k')).toBe('a=x@1C b=y@1C')
    })

    test('I13: a merge is over the log: what was learned does not travel, looked up or not', () => {
      for (const first of [true, false]) {
        const world = floored(make, 'A')
        const lookUp = () => {
          world.learn('A', ['k', 'gone'], {
            k: { cells: { a: stored('old', 5n, 'A'), b: stored('old', 6n, 'B') } },
            gone: { deleted: stored('', 7n, 'B').stamp },
          })
        }
        if (first) lookUp()
        world.set('A', 'k', { a: 'new' })
        world.set('A', 'gone', { a: 'new' })
        if (!first) lookUp()
        expect(world.merge('C', 'A').took).toEqual(['k: a=new@101A', 'gone: a=new@102A'])
        world.remove('A', 'k')
        expect(world.merge('C', 'A').took).toEqual(['k: !103A'])
        expect(world.look('A', 'gone')).toBe('a=new@102A !7B')
      }
    })

    test('a learned tombstone deletes what is older', () => {
      const world = floored(make, 'A')
      world.set('A', 'k', { a: 'x' }, { time: 3n, origin: 'A' })
      world.learn('A', ['k'], { k: { deleted: stored('', 50n, 'B').stamp } })
      expect(world.look('A', 'k')).toBe('!50B')
    })

    test('I15: another value under the same stamp is reported and the cached one stays', () => {
      const world = floored(make, 'A')
      world.set('A', 'k', { a: 'mine', b: 'same' }, old(5n))
      const found = { k: { cells: { a: stored('zzz', 5n, 'B'), b: stored('same', 5n, 'B') } } }
      const { foreign } = world.learn('A', ['k'], found)
      expect(foreign).toEqual([{ table: 0, key: ['k'], column: 0, stamp: stored('', 5n, 'B').stamp }])
      expect(world.look('A', 'k')).toBe('a=mine@5B b=same@5B')
    })

    test('I14: a merged register above the floor needs no look-up', () => {
      const world = floored(make, 'A')
      world.set('B', 'k', { a: 'x' })
      world.remove('B', 'gone')
      expect(world.merge('A', 'B').rows).toBe(2)
    })

    test('I14: a merged register or tombstone not above the floor needs a look-up, and nothing is done before', () => {
      const world = floored(make, 'A')
      world.set('B', 'new', { a: 'x' })
      world.set('B', 'k', { a: 'x' }, old(100n))
      world.remove('B', 'gone', old(50n))
      const refused = world.mergeOnce('A', 'B')
      expect(world.keys(refused.incomplete!)).toEqual(['k', 'gone'])
      expect(refused).toMatchObject({ position: 0, done: false, rows: 0, took: [], conflicts: 0 })
      expect(world.state.records(0)).toBe(0)
      expect(world.look('A', 'new')).toBe('none')
      world.learn('A', ['k', 'gone'], { gone: { cells: { a: stored('late', 60n, 'A') } } })
      expect(world.merge('A', 'B').took).toEqual(['new: a=x@101B', 'k: a=x@100B', 'gone: !50B'])
      expect(world.look('A', 'gone')).toBe('a=late@60A !50B')
    })

    test('I14: what the database had already is not taken', () => {
      const world = floored(make, 'A')
      world.set('B', 'k', { a: 'x' }, old(40n))
      world.learn('A', ['k'], { k: { cells: { a: stored('newer', 41n, 'A') } } })
      expect(world.merge('A', 'B').rows).toBe(0)
    })

    test('I14: an UNDO of a blind SET asks for the row first, then restores what the database held', () => {
      const world = floored(make, 'A')
      world.set('A', 'k', { a: 'new' })
      expect(world.undo('A')).toEqual(['look up A k'])
      expect(world.look('A', 'k')).toBe('a=new@101A')
      world.learn('A', ['k'], { k: { cells: { a: stored('old', 5n, 'A'), b: stored('b', 5n, 'A') } } })
      expect(world.undo('A')).toEqual(['A k: a=old@102A'])
      expect(world.look('A', 'k')).toBe('a=old@102A b=b@5A')
    })

    test('I14: learning completes the before-images of every write of the row', () => {
      const world = floored(make, 'A')
      world.set('A', 'k', { a: '1' })
      world.set('A', 'k', { b: '2' })
      world.learn('A', ['k'], { k: { cells: { b: stored('old', 5n, 'A') } } })
      expect(world.undo('A')).toEqual(['A k: b=old@103A'])
      expect(world.undo('A')).toEqual(['A k: a=\\N@104A'])
      expect(world.look('A', 'k')).toBe('a=\\N@104A b=old@103A')
    })

    test('I14: a row that the database did not hold is absent again after UNDO', () => {
      const world = floored(make, 'A')
      world.set('A', 'k', { a: 'x' })
      world.learn('A', ['k'])
      expect(world.undo('A')).toEqual(['A k: !102A'])
    })

    test('I14: UNDO of a blind DELETE, and of a merge above the floor, restores what the database held', () => {
      const world = floored(make, 'A')
      world.remove('A', 'k')
      world.learn('A', ['k'], { k: { cells: { a: stored('old', 5n, 'A') } } })
      expect(world.undo('A')).toEqual(['A k: a=old@102A'])
      world.set('B', 'l', { a: 'x' })
      world.merge('A', 'B')
      expect(world.undo('A')).toEqual(['look up A l'])
      world.learn('A', ['l'], { l: { cells: { a: stored('old', 6n, 'A') } } })
      expect(world.undo('A')).toEqual(['A l: a=old@104A'])
    })

    test('I14: ROLLBACK names the replica whose rows it needs, and does nothing before', () => {
      const world = floored(make, 'A', 'B')
      world.set('A', 'k', { a: 'x' })
      world.set('B', 'l', { a: 'x' })
      expect(world.rollback()).toEqual(['look up A k'])
      world.learn('A', ['k'])
      expect(world.rollback()).toEqual(['look up B l'])
      world.learn('B', ['l'], { l: { cells: { a: stored('old', 9n, 'C') } } })
      expect(world.rollback()).toEqual(['A k: !103A', 'B l: a=old@104B'])
    })

    test('I14: a flush asks for before-images only while an undo point can reach them', () => {
      const world = floored(make, 'A')
      const lookups = () => world.keys(world.state.changes(0, 0, ALL).lookups)
      world.set('A', 'k', { a: 'x' })
      world.set('A', 'l', { a: 'x' })
      world.learn('A', ['l'])
      expect(lookups()).toEqual(['k'])
      world.state.mark('fullSync')
      expect(lookups()).toEqual(['k'])
      world.state.mark('commit')
      expect(lookups()).toEqual([])
    })

    test("I14: the digest's keys that a replica did not look up are named", () => {
      const world = floored(make, 'A', 'B')
      world.set('A', 'k', { a: 'x' })
      world.set('C', 'l', { a: 'x' })
      expect(world.keys(world.state.unresolved(1, 9))).toEqual(['k', 'l'])
      expect(world.keys(world.state.unresolved(1, 1))).toEqual(['k'])
      world.learn('B', ['k'])
      expect(world.keys(world.state.unresolved(1, 9))).toEqual(['l'])
      expect(world.state.unresolved(2, 9)).toEqual([])
    })

    test('lines read back from the log are changes, but no records, no writes to undo and no keys of the digest', () => {
      const world = floored(make, 'A')
      world.state.startAt(0, 40)
      const { input } = world.fill('k', { a: 'x' })
      world.state.restore(0, 0, input, { time: 60n, origin: 'A' }, false)
      world.state.restore(0, 0, world.fill('k', { b: 'y' }).input, { time: 61n, origin: 'A' }, false)
      world.state.startAt(0, 41)
      world.state.restore(0, 0, world.fill('gone').input, { time: 62n, origin: 'B' }, true)
      world.state.mark('open')
      expect(world.state.records(0)).toBe(41)
      expect(world.texts(world.state.changes(0, 39, ALL).changed)).toEqual(['k: a=x@60A b=y@61A', 'gone: !62B'])
      expect(world.state.changes(0, 40, ALL).rows).toBe(1)
      expect(world.merge('C', 'A').rows).toBe(2)
      expect(world.undo('A')).toEqual([])
      expect(world.rollback()).toEqual(['C k: !101C', 'C gone: !102C'])
      expect(world.state.vector(0)).toEqual(new Map([['A', 61n]]))
    })
  })
}
