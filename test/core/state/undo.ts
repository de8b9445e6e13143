import { describe, expect, test } from 'vitest'
import { rowsOf, World, type MakeState } from './world.ts'

export function undoSemantics(name: string, make: MakeState): void {
  describe(`${name}: undo`, () => {
    test('UNDO of the first SET deletes the row, with a new stamp', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1', b: '1' })
      expect(world.undo('A')).toEqual(['A k: !2A'])
      expect(world.look('A', 'k')).toBe('!2A')
    })

    test('UNDO of a SET restores what its columns showed, and only those', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1' })
      world.set('A', 'k', { a: '2', b: '2' })
      expect(world.undo('A')).toEqual(['A k: a=1@3A b=\\N@3A'])
      world.set('A', 'k', { b: '4' })
      expect(world.undo('A')).toEqual(['A k: b=\\N@5A'])
      expect(world.look('A', 'k')).toBe('a=1@3A b=\\N@5A')
    })

    test('UNDO of a DELETE restores the columns that it took', () => {
      const world = new World(make)
      world.set('A', 'k', { b: 'x' })
      world.remove('A', 'k')
      expect(world.undo('A')).toEqual(['A k: b=x@3A'])
      expect(world.look('A', 'k')).toBe('b=x@3A !2A')
    })

    test('UNDO of a DELETE of an absent row deletes it again', () => {
      const world = new World(make)
      world.remove('A', 'k')
      expect(world.undo('A')).toEqual(['A k: !2A'])
    })

    test('UNDO of a SET of the value that was there writes it anew', () => {
      const world = new World(make)
      world.set('A', 'k', { a: 'same' })
      world.set('A', 'k', { a: 'same' })
      expect(world.undo('A')).toEqual(['A k: a=same@3A'])
    })

    test('UNDO of a merge restores each row that it took, each with a stamp of its own', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1', b: '1' })
      world.set('B', 'k', { a: '2' })
      world.set('B', 'l', { a: '2' })
      world.set('B', '7/m', { v: '2' })
      world.merge('A', 'B')
      expect(world.undo('A').sort()).toEqual(['A 7/m: !7A', 'A k: a=1@5A', 'A l: !6A'])
      expect(world.look('A', 'k')).toBe('a=1@5A b=1@1A')
    })

    test('UNDO of a merge in parts takes all of them back', () => {
      const world = new World(make)
      for (const key of ['k', 'l', 'm']) world.set('B', key, { a: 'x' })
      world.merge('A', 'B', rowsOf(1))
      expect(world.undo('A')).toEqual(['A k: !4A', 'A l: !5A', 'A m: !6A'])
      expect(world.undo('A')).toEqual([])
    })

    test('a merge that took nothing is no write', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1' })
      world.merge('B', 'A')
      world.merge('A', 'B')
      expect(world.undo('A')).toEqual(['A k: !2A'])
    })

    test('a merge that goes on after another write is a write of its own', () => {
      const world = new World(make)
      for (const key of ['k', 'l']) world.set('B', key, { a: 'x' })
      world.mergeOnce('A', 'B', rowsOf(1))
      world.set('A', 'k', { a: 'mine' })
      world.mergeOnce('A', 'B')
      expect(world.undo('A')).toEqual(['A l: !4A'])
      expect(world.undo('A')).toEqual(['A k: a=x@5A'])
      expect(world.undo('A')).toEqual(['A k: !6A'])
      expect(world.undo('A')).toEqual([])
    })

    test('a merge that took a tombstone but no register has nothing to restore, and no record', () => {
      const world = new World(make)
      world.remove('B', 'k')
      world.set('A', 'k', { a: 'newer' })
      expect(world.merge('A', 'B').took).toEqual(['k: !1B'])
      expect(world.state.records(0)).toBe(2)
      expect(world.undo('A')).toEqual([])
      expect(world.state.records(0)).toBe(2)
      expect(world.now).toBe(2n)
      expect(world.undo('A')).toEqual(['A k: !3A'])
    })

    test('repeated UNDO goes further back, and in the end says nothing', () => {
      const world = new World(make)
      for (const value of ['1', '2', '3']) world.set('A', 'k', { a: value })
      expect(world.undo('A')).toEqual(['A k: a=2@4A'])
      expect(world.undo('A')).toEqual(['A k: a=1@5A'])
      expect(world.undo('A')).toEqual(['A k: !6A'])
      expect(world.undo('A')).toEqual([])
      expect(world.undo()).toEqual([])
    })

    test('bare UNDO takes back the last write of all, UNDO of a replica its own', () => {
      const world = new World(make)
      world.set('A', 'k', { a: 'A' })
      world.set('B', 'k', { a: 'B' })
      world.set('A', 'l', { a: 'A' })
      expect(world.undo('B')).toEqual(['B k: !4B'])
      expect(world.undo()).toEqual(['A l: !5A'])
      expect(world.undo()).toEqual(['A k: !6A'])
      expect(world.undo('C')).toEqual([])
    })

    test('a write after UNDO is undone before what was there', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1' })
      world.set('A', 'k', { a: '2' })
      world.undo('A')
      world.set('A', 'k', { a: '3' })
      expect(world.undo('A')).toEqual(['A k: a=1@5A'])
      expect(world.undo('A')).toEqual(['A k: !6A'])
    })

    test('an undone value is the newest: merges carry it, and replicas converge', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1' })
      world.fullSync()
      world.set('B', 'k', { a: '2' })
      world.merge('A', 'B')
      world.undo('B')
      world.fullSync()
      for (const replica of world.names) expect(world.look(replica, 'k')).toBe('a=1@3B')
    })

    test.each(['fullSync', 'commit', 'open'] as const)('UNDO does not reach beyond a point (%s)', (kind) => {
      const world = new World(make)
      world.set('A', 'k', { a: '1' })
      world.state.mark(kind)
      expect(world.undo()).toEqual([])
      world.set('A', 'k', { a: '2' })
      expect(world.undo()).toEqual(['A k: a=1@3A'])
    })

    test('the depth is bounded in statements: the oldest are out of reach', () => {
      const world = new World(make, { limits: { undoStatements: 3, undoRows: 100 } })
      for (let i = 0; i < 5; i++) world.set(i % 2 === 0 ? 'A' : 'B', 'k', { a: String(i) })
      expect([world.undo(), world.undo(), world.undo(), world.undo()].map((undone) => undone.length)).toEqual([
        1, 1, 1, 0,
      ])
      expect(world.look('A', 'k')).toMatch(/^a=0@/)
    })

    test('the depth is bounded in rows, but the last write can always be undone', () => {
      const world = new World(make, { limits: { undoStatements: 100, undoRows: 2 } })
      for (const key of ['k', 'l', 'm']) world.set('B', key, { a: 'x' })
      world.set('A', 'z', { a: 'x' })
      world.merge('A', 'B')
      expect(world.undo('A')).toHaveLength(3)
      expect(world.undo('A')).toEqual([])
      expect(world.undo('B')).toEqual([])
    })

    test('I14: writes out of reach leave before-images only to ROLLBACK', () => {
      const world = new World(make, { limits: { undoStatements: 2, undoRows: 100 } })
      world.state.floor(0, 100n)
      world.now = 100n
      for (let i = 0; i < 20; i++) world.set('A', 'k', { a: String(i) })
      world.learn('A', ['k'])
      expect(world.undo('A')).toEqual(['A k: a=18@121A'])
      expect(world.rollback()).toEqual(['A k: !122A'])
    })

    test('an undone row is one record', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1', b: '1' })
      world.set('A', 'k', { a: '2', b: '2' })
      world.undo('A')
      expect(world.state.records(0)).toBe(3)
    })
  })

  describe(`${name}: rollback`, () => {
    test('ROLLBACK restores what every replica showed at the last COMMIT, FULL_SYNCs in between too', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1' })
      world.fullSync()
      world.state.mark('commit')
      world.set('B', 'k', { a: '2' })
      world.set('C', 'l', { a: '3', b: '3' })
      world.fullSync()
      world.remove('A', 'k')
      expect(world.rollback()).toEqual([
        'A k: a=1@5A',
        'A l: !6A',
        'B k: a=1@7B',
        'B l: !8B',
        'C l: !9C',
        'C k: a=1@10C',
      ])
      world.fullSync()
      for (const replica of world.names) {
        expect(world.look(replica, 'k')).toMatch(/^a=1@/)
        expect(world.held(replica, 'l').row?.registers).toEqual([undefined, undefined])
      }
    })

    test('ROLLBACK also takes back what UNDO can no longer reach, and what UNDO restored', () => {
      const world = new World(make, { limits: { undoStatements: 1, undoRows: 1 } })
      world.set('A', 'k', { a: '1' })
      world.state.mark('commit')
      world.set('A', 'k', { a: '2' })
      world.set('A', 'l', { a: '2' })
      world.undo('A')
      expect(world.rollback()).toEqual(['A k: a=1@5A', 'A l: !6A'])
    })

    test('ROLLBACK restores every column that was written since, null where it showed null', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1' })
      world.state.mark('commit')
      world.set('A', 'k', { b: '2' })
      expect(world.rollback()).toEqual(['A k: b=\\N@3A'])
    })

    test('ROLLBACK is a point itself: nothing before it is undone or rolled back again', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1' })
      world.rollback()
      expect(world.undo()).toEqual([])
      expect(world.rollback()).toEqual([])
      expect(world.state.records(0)).toBe(2)
    })

    test('ROLLBACK with nothing written since the point does nothing', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1' })
      world.state.mark('commit')
      world.look('A', 'k')
      expect(world.rollback()).toEqual([])
    })
  })
}
