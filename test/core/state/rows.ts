import { describe, expect, test } from 'vitest'
import { World, type MakeState } from './world.ts'

const at = (time: bigint, origin = 'A') => ({ time, origin })

export function rowSemantics(name: string, make: MakeState): void {
  describe(`${name}: rows`, () => {
    test('a column that was never set has no register', () => {
      const world = new World(make)
      expect(world.look('A', 'k')).toBe('none')
      expect(world.set('A', 'k', { b: 'x' })).toBe('changed')
      expect(world.look('A', 'k')).toBe('b=x@1A')
    })

    test('a register that holds null is there, and "" is another value', () => {
      const world = new World(make)
      world.set('A', 'k', { a: null, b: '' })
      expect(world.look('A', 'k')).toBe('a=\\N@1A b=@1A')
    })

    test('one SET gives all its columns one stamp and leaves the others', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1', b: '1' })
      world.set('A', 'k', { b: '2' })
      expect(world.look('A', 'k')).toBe('a=1@1A b=2@2A')
    })

    test('a row is the same key in one table only, and replicas do not share it', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1' })
      world.set('A', '-5/k', { v: '2' })
      expect(world.look('A', '-5/k')).toBe('v=2@2A')
      expect(world.look('A', '5/k')).toBe('none')
      expect(world.look('B', 'k')).toBe('none')
    })

    test('a deletion leaves a tombstone, also for an absent key', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1' })
      expect(world.remove('A', 'k')).toBe('changed')
      expect(world.look('A', 'k')).toBe('!2A')
      expect(world.remove('A', 'absent')).toBe('changed')
      expect(world.look('A', 'absent')).toBe('!3A')
    })

    test('normal form: a tombstone stays until every column has outlived it', () => {
      const world = new World(make)
      world.remove('A', 'k')
      world.set('A', 'k', { a: '1' })
      expect(world.look('A', 'k')).toBe('a=1@2A !1A')
      world.set('A', 'k', { b: '1' })
      expect(world.look('A', 'k')).toBe('a=1@2A b=1@3A')
    })

    test('I5: a replayed line older than the register, or not newer than the tombstone, changes nothing', () => {
      const world = new World(make)
      world.set('A', 'k', { a: 'new' }, at(9n))
      expect(world.set('A', 'k', { a: 'old' }, at(8n))).toBe('unchanged')
      expect(world.set('A', 'k', { a: 'other' }, at(9n, '_'))).toBe('changed')
      expect(world.remove('A', 'd', at(5n))).toBe('changed')
      expect(world.set('A', 'd', { a: 'x' }, at(5n))).toBe('unchanged')
      expect(world.remove('A', 'd', at(5n))).toBe('unchanged')
      world.set('A', 'k', { b: 'x' }, at(7n))
      expect(world.remove('A', 'k', at(1n))).toBe('unchanged')
      expect(world.look('A', 'k')).toBe('a=other@9_ b=x@7A')
      expect(world.look('A', 'd')).toBe('!5A')
    })

    test('a replayed tombstone takes the older registers only', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1' }, at(3n))
      world.set('A', 'k', { b: '1' }, at(5n))
      expect(world.remove('A', 'k', at(4n))).toBe('changed')
      expect(world.look('A', 'k')).toBe('b=1@5A !4A')
    })

    test.each([
      ['a', 'b'],
      ['', 'a'],
      [null, ''],
      ['\uffff', '\u{10000}'],
    ])('I1: under one stamp the greater bytes stay, whichever comes first: %j < %j', (less, greater) => {
      for (const order of [
        [less, greater],
        [greater, less],
      ]) {
        const world = new World(make)
        world.set('A', 'k', { a: order[0]! }, at(1n))
        expect(world.set('A', 'k', { a: order[1]! }, at(1n))).toBe('twin')
        expect(world.held('A', 'k').row?.registers[0]?.value).toBe(greater)
      }
    })

    test('the same line replayed is no twin', () => {
      const world = new World(make)
      world.set('A', 'k', { a: 'x', b: null }, at(1n))
      expect(world.set('A', 'k', { a: 'x', b: null }, at(1n))).toBe('unchanged')
    })

    test('every SET, DELETE and GET is one record, whatever comes of it', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1', b: '2' }, at(5n))
      world.set('A', 'k', { a: '0' }, at(4n))
      world.remove('A', 'k', at(1n))
      world.look('A', 'absent')
      expect(world.state.records(0)).toBe(4)
      expect(world.state.records(1)).toBe(0)
      world.state.startAt(1, 1000)
      world.set('B', 'k', { a: '1' })
      expect(world.state.records(1)).toBe(1001)
    })

    test('values and keys of any bytes come back as they were', () => {
      const world = new World(make)
      for (const text of ['', '\0', 'é\u{1f600}', '\ufeff', '__proto__', 'constructor', 'x'.repeat(70_000)]) {
        const key = text.slice(0, 1_990)
        world.set('A', key, { a: text })
        expect(world.held('A', key).row?.registers[0]?.value).toBe(text)
      }
      expect(world.look('A', 'toString')).toBe('none')
    })

    test('I11: a GET of an absent key holds nothing', () => {
      const world = new World(make)
      for (let i = 0; i < 100; i++) world.look('A', `absent ${String(i)}`)
      expect(world.state.rows()).toBe(0)
    })
  })
}
