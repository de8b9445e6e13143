import { describe, expect, test } from 'vitest'
import { rowsOf, World, type MakeState } from './world.ts'

const at = (time: bigint, origin: string) => ({ time, origin })

export function mergeSemantics(name: string, make: MakeState): void {
  describe(`${name}: merge`, () => {
    test('I2: a merge is one-way and keeps the stamps', () => {
      const world = new World(make)
      world.set('B', 'k', { a: 'x' })
      expect(world.merge('A', 'B').took).toEqual(['k: a=x@1B'])
      world.set('A', 'l', { a: 'y' })
      expect(world.look('A', 'k')).toBe('a=x@1B')
      expect(world.look('B', 'l')).toBe('none')
    })

    test('a merge takes per column, and only what is new', () => {
      const world = new World(make)
      world.set('A', 'k', { a: 'old', b: 'old' })
      world.merge('B', 'A')
      world.set('B', 'k', { a: 'new' })
      world.set('A', 'k', { b: 'new' })
      expect(world.merge('A', 'B').took).toEqual(['k: a=new@2B'])
      expect(world.merge('B', 'A').took).toEqual(['k: b=new@3A'])
      expect(world.look('A', 'k')).toBe('a=new@2B b=new@3A')
      expect(world.look('B', 'k')).toBe('a=new@2B b=new@3A')
    })

    test('a second merge takes nothing and asks for nothing again', () => {
      const world = new World(make)
      world.set('B', 'k', { a: 'x' })
      const first = world.mergeOnce('A', 'B')
      expect(first).toMatchObject({ position: 1, done: true, rows: 1, conflicts: 0 })
      expect(world.mergeOnce('A', 'B')).toMatchObject({ position: 1, done: true, rows: 0, took: [] })
      expect(world.state.merge(0, 1, 0, rowsOf(9), 9)).toMatchObject({ position: 1, done: true, rows: 0 })
    })

    test('I2: the order of merges does not matter', () => {
      const orders = ['AB AC BC BA CA', 'CB CA BA AC BC', 'BC AB CB BA CA AB']
      const shown = orders.map((order) => {
        const world = new World(make)
        world.set('A', 'k', { a: 'A', b: 'A' })
        world.remove('B', 'k')
        world.set('C', 'k', { b: 'C' })
        world.set('B', 'l', { a: 'B' })
        for (const pair of order.split(' ')) world.merge(pair[0]!, pair[1]!)
        world.fullSync()
        expect(new Set(world.names.map((replica) => world.digest(replica))).size).toBe(1)
        return world.look('A', 'k') + world.look('B', 'k') + world.look('C', 'l')
      })
      expect(new Set(shown).size).toBe(1)
    })

    test('a tombstone travels, drops older registers there, and spares newer ones', () => {
      const world = new World(make)
      world.set('A', 'k', { a: 'old', b: 'old' })
      world.remove('B', 'k')
      world.set('A', 'k', { b: 'new' })
      expect(world.merge('A', 'B').took).toEqual(['k: !2B'])
      expect(world.look('A', 'k')).toBe('b=new@3A !2B')
      expect(world.merge('B', 'A').took).toEqual(['k: b=new@3A'])
      expect(world.digest('A')).toBe(world.digest('B'))
    })

    test('a row that comes with k distinct stamps is k records, a tombstone among them', () => {
      const world = new World(make)
      world.set('B', 'one', { a: 'x', b: 'x' })
      world.set('B', 'two', { a: 'x' })
      world.set('B', 'two', { b: 'x' })
      world.remove('B', 'gone')
      world.set('B', 'gone', { a: 'x' })
      expect(world.merge('A', 'B').rows).toBe(3)
      expect(world.state.records(0)).toBe(1 + 2 + 2)
    })

    test('a merge of what is new only: later calls give the rows that changed since', () => {
      const world = new World(make)
      for (let i = 0; i < 50; i++) world.set('B', `k${String(i)}`, { a: 'x' })
      world.merge('A', 'B')
      world.set('B', 'k7', { b: 'y' })
      world.look('B', 'k8')
      const result = world.mergeOnce('A', 'B', rowsOf(1))
      expect(world.texts(result.took)).toEqual(['k7: b=y@51B'])
      expect(result).toMatchObject({ position: 52, done: true })
    })

    test('merges in small parts take the same as whole ones', () => {
      const results = [1, 2, 3, 1000].map((limit) => {
        const world = new World(make)
        for (let i = 0; i < 12; i++) {
          world.set('B', `k${String(i % 7)}`, { [i % 2 === 0 ? 'a' : 'b']: `b${String(i)}` })
          world.set('A', `k${String(i % 5)}`, { a: `a${String(i)}` })
          if (i % 4 === 0) world.remove('B', `k${String(i % 3)}`)
        }
        const { took, rows, conflicts } = world.merge('A', 'B', rowsOf(limit))
        return {
          took,
          rows,
          conflicts,
          records: world.state.records(0),
          digest: world.digest('A'),
          vector: world.state.vector(0),
        }
      })
      for (const result of results) expect(result).toEqual(results[0])
    })

    test('a merge costs what is new, however many rows there are', () => {
      const world = new World(make)
      for (let i = 0; i < 20_000; i++) world.set('B', `k${String(i)}`, { a: 'x' })
      world.merge('A', 'B')
      const began = process.cpuUsage()
      let rows = 0
      for (let i = 0; i < 5000; i++) {
        world.set('B', 'k7', { a: String(i) })
        rows += world.mergeOnce('A', 'B').rows
      }
      expect(rows).toBe(5000)
      // Walking the table each time would visit 100 million rows.
      expect(process.cpuUsage(began).user / 1000).toBeLessThan(8000)
    })

    test('a bound in bytes ends a part too, and a part has at least a row', () => {
      const world = new World(make)
      for (let i = 0; i < 5; i++) world.set('B', `k${String(i)}`, { a: 'x'.repeat(1000) })
      const first = world.mergeOnce('A', 'B', { rows: 100, bytes: 1 })
      expect(first).toMatchObject({ rows: 1, done: false })
      expect(world.merge('A', 'B', { rows: 100, bytes: 1500 }).rows).toBe(4)
    })

    test('a row that changes between two parts comes whole in the end', () => {
      const world = new World(make)
      for (const key of ['k', 'l', 'm']) world.set('B', key, { a: '1' })
      world.mergeOnce('A', 'B', rowsOf(1))
      world.set('B', 'l', { b: '2' })
      expect(world.merge('A', 'B', rowsOf(1)).rows).toBe(2)
      expect(world.look('A', 'l')).toBe('a=1@2B b=2@4B')
    })
  })

  describe(`${name}: conflicts`, () => {
    test.each(['ABC', 'ACB', 'BAC', 'BCA', 'CAB', 'CBA'])(
      'two writes that had not seen each other are one conflict, in a FULL_SYNC in the order %s',
      (order) => {
        const world = new World(make)
        world.set('A', 'k', { a: 'A', b: 'same' })
        world.set('B', 'k', { a: 'B', b: 'same' })
        world.set('C', 'l', { a: 'C' })
        expect(world.fullSync(Array.from(order))).toBe(1)
        expect(world.fullSync(Array.from(order))).toBe(0)
        expect(world.fullSync(Array.from(order).reverse())).toBe(0)
      },
    )

    test('three writes that had not seen each other are two conflicts', () => {
      for (const order of ['ABC', 'BCA', 'CBA']) {
        const world = new World(make)
        for (const replica of world.names) world.set(replica, 'k', { a: replica })
        expect(world.fullSync(Array.from(order))).toBe(2)
      }
    })

    test('the listed conflict names key, column and stamps; more than asked for are only counted', () => {
      const world = new World(make)
      for (const replica of ['A', 'B']) for (const key of ['k', 'l']) world.set(replica, key, { b: replica })
      const { conflicts, listed } = world.mergeOnce('A', 'B', rowsOf(9), 1)
      expect(conflicts).toBe(2)
      expect(listed).toEqual([
        { table: 0, key: ['k'], column: 1, won: at(3n, 'B'), lost: at(1n, 'A'), sameStamp: false },
      ])
    })

    test("who has seen the other's value and overwrites it is in no conflict", () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1' })
      world.merge('B', 'A')
      world.set('B', 'k', { a: '2' })
      expect(world.merge('A', 'B').conflicts).toBe(0)
      world.set('A', 'k', { a: '3' })
      expect(world.fullSync()).toBe(0)
    })

    test('seen through a third replica is seen', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1' })
      world.merge('B', 'A')
      world.merge('C', 'B')
      world.set('C', 'k', { a: '2' })
      expect(world.merge('A', 'C').conflicts).toBe(0)
    })

    test('a deletion against a SET is one conflict for each column with a value', () => {
      const world = new World(make)
      world.set('A', 'k', { a: '1', b: '1' })
      world.fullSync()
      world.remove('A', 'k')
      world.set('B', 'k', { b: '2' })
      expect(world.fullSync()).toBe(1)
      expect(world.look('C', 'k')).toBe('b=2@3B !2A')
    })

    test('two deletions are no conflict, nor two SETs of one value', () => {
      const world = new World(make)
      for (const replica of world.names) {
        world.remove(replica, 'gone')
        world.set(replica, 'k', { a: 'same' })
      }
      expect(world.fullSync()).toBe(0)
    })

    test('I1: two values under one stamp are reported, and the greater bytes win everywhere', () => {
      for (const [first, second] of [
        ['x', 'y'],
        ['y', 'x'],
      ] as const) {
        const world = new World(make)
        world.set('A', 'k', { a: first }, at(5n, 'Z'))
        world.set('B', 'k', { a: second }, at(5n, 'Z'))
        const { conflicts, listed } = world.mergeOnce('A', 'B')
        expect(conflicts).toBe(1)
        expect(listed[0]).toMatchObject({ sameStamp: true, won: at(5n, 'Z'), lost: at(5n, 'Z') })
        world.fullSync()
        for (const replica of world.names) expect(world.look(replica, 'k')).toBe('a=y@5Z')
        expect(world.fullSync()).toBe(0)
      }
    })

    test('a version vector holds the greatest time per origin, merged as maximum, once all is merged', () => {
      const world = new World(make)
      for (const key of ['k', 'l']) world.set('B', key, { a: 'x' })
      world.set('C', 'k', { a: 'y' })
      world.mergeOnce('A', 'B', rowsOf(1))
      expect([...world.state.vector(0)]).toEqual([])
      world.merge('A', 'B')
      world.merge('A', 'C')
      expect(new Map([...world.state.vector(0)].sort())).toEqual(
        new Map([
          ['B', 2n],
          ['C', 3n],
        ]),
      )
      world.state.raise(
        0,
        new Map([
          ['B', 1n],
          ['D', 7n],
        ]),
      )
      expect(world.state.vector(0).get('B')).toBe(2n)
      expect(world.state.vector(0).get('D')).toBe(7n)
    })
  })
}
