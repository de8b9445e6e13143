import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rowAt, textAt } from '../../../src/core/batch.ts'
import { compareStamps, parseStamp, stampText, type Stamp } from '../../../src/core/stamp.ts'
import type { TableRows, UndoResult } from '../../../src/core/state.ts'
import { normal, Oracle, plainText, type PlainRow } from './oracle.ts'
import { rowsOf, World, type Cells, type Found, type MakeState } from './world.ts'

const KEYS = ['k', 'l', 'm', 'n']
const VALUES = ['x', 'y', '', null]
const NAMES = ['A', 'B', 'C']

const replica = fc.nat(2)
const key = fc.constantFrom(...KEYS)
const cell = fc.option(fc.constantFrom(...VALUES), { nil: undefined })
const cells = fc.tuple(cell, cell).filter(([a, b]) => a !== undefined || b !== undefined)
/** Few stamps, so that replayed lines tie. */
const replayed = fc.record({ time: fc.bigInt(1n, 6n), origin: fc.constantFrom('A', 'B', 'Q') })

const plain = [
  { weight: 8, arbitrary: fc.record({ op: fc.constant('set' as const), replica, key, cells }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('remove' as const), replica, key }) },
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant('merge' as const),
      replica,
      from: fc.integer({ min: 1, max: 2 }),
      limit: fc.constantFrom(1, 2, 9),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant('undo' as const), replica: fc.option(replica, { nil: undefined }) }),
  },
  { weight: 1, arbitrary: fc.constant({ op: 'fullSync' as const }) },
  { weight: 1, arbitrary: fc.constant({ op: 'commit' as const }) },
  { weight: 1, arbitrary: fc.constant({ op: 'rollback' as const }) },
] as const
const replays = [
  { weight: 4, arbitrary: fc.record({ op: fc.constant('set' as const), replica, key, cells, stamp: replayed }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('remove' as const), replica, key, stamp: replayed }) },
] as const

const written = fc.oneof(...plain)
const anything = fc.oneof(...plain, ...replays)
type Operation = typeof anything extends fc.Arbitrary<infer T> ? T : never

/** A state beside its oracle, and databases that hold what came before the session. */
class Pair {
  readonly world: World
  readonly oracle: Oracle
  readonly #before: ReadonlyMap<string, PlainRow>
  readonly #records = [0, 0, 0]
  readonly #seen = new Map<string, Stamp>()

  constructor(make: MakeState, before: ReadonlyMap<string, PlainRow>) {
    this.world = new World(make, { names: NAMES })
    this.oracle = new Oracle(3, new Map(before))
    this.#before = before
    this.world.now = 100n
    if (before.size > 0) for (const id of [0, 1, 2]) this.world.state.floor(id, 100n)
  }

  run(operation: Operation): void {
    const { world, oracle } = this
    switch (operation.op) {
      case 'set': {
        const name = NAMES[operation.replica]!
        const stamp = ('stamp' in operation ? operation.stamp : undefined) ?? world.next(name)
        const [a, b] = operation.cells
        const given: Cells = { ...(a === undefined ? {} : { a }), ...(b === undefined ? {} : { b }) }
        world.set(name, operation.key, given, stamp)
        oracle.set(operation.replica, operation.key, [a, b], stamp)
        this.#records[operation.replica]!++
        return
      }
      case 'remove': {
        const name = NAMES[operation.replica]!
        const stamp = ('stamp' in operation ? operation.stamp : undefined) ?? world.next(name)
        world.remove(name, operation.key, stamp)
        oracle.remove(operation.replica, operation.key, stamp)
        this.#records[operation.replica]!++
        return
      }
      case 'merge':
        this.merge(operation.replica, (operation.replica + operation.from) % 3, operation.limit)
        oracle.merge(operation.replica, (operation.replica + operation.from) % 3)
        return
      case 'fullSync':
        for (const other of [1, 2]) this.merge(0, other, 9)
        for (const other of [1, 2]) this.merge(other, 0, 9)
        world.state.mark('fullSync')
        oracle.fullSync()
        return
      case 'undo':
        this.#undone(
          () => world.state.undo(operation.replica, (id) => world.next(NAMES[id]!)),
          (stampOf) => oracle.undo(operation.replica, stampOf),
        )
        return
      case 'rollback':
        this.#undone(
          () => world.state.rollback((id) => world.next(NAMES[id]!)),
          (stampOf) => oracle.rollback(stampOf),
        )
        return
      case 'commit':
        world.state.mark('commit')
        oracle.commit()
        return
    }
  }

  merge(into: number, from: number, limit: number): void {
    for (;;) {
      const result = this.world.mergeOnce(NAMES[into]!, NAMES[from]!, rowsOf(limit))
      if (result.incomplete !== undefined) {
        for (const { keys } of result.incomplete)
          this.#lookUp(
            into,
            Array.from({ length: keys.rows }, (_, i) => textAt(keys.keys[0]!, i)!),
          )
        continue
      }
      this.#records[into]! += records(result.took)
      if (result.done) return
    }
  }

  /** Every replica's rows are the oracle's, records add up, and no column went back to a smaller stamp (I5). */
  check(): void {
    for (const [id, name] of NAMES.entries()) {
      expect(this.world.state.records(id)).toBe(this.#records[id])
      for (const one of KEYS) {
        if (!this.world.held(name, one).complete) this.#lookUp(id, [one])
        const { row } = this.world.held(name, one)
        this.#records[id] = this.world.state.records(id)
        expect(this.world.look(name, one)).toBe(plainText(this.oracle.row(id, one)))
        this.#records[id]++
        row?.registers.forEach((register, c) => {
          const now = register?.stamp ?? row.tombstone
          const place = `${name} ${one} ${String(c)}`
          const before = this.#seen.get(place)
          if (before !== undefined) expect(now !== undefined && compareStamps(now, before) >= 0).toBe(true)
          if (now !== undefined) this.#seen.set(place, now)
        })
      }
    }
  }

  #lookUp(id: number, keys: readonly string[]): void {
    const found: Record<string, Partial<Found>> = {}
    for (const one of keys) {
      const row = this.#before.get(one)
      if (row === undefined) continue
      const { registers, tombstone } = normal(row)
      const held = registers.flatMap((register, c) =>
        register === undefined
          ? []
          : [['ab'[c]!, { value: register.value, stamp: stampText(register.stamp) }] as const],
      )
      found[one] = {
        cells: Object.fromEntries(held),
        ...(tombstone === undefined ? {} : { deleted: stampText(tombstone) }),
      }
    }
    this.world.learn(NAMES[id]!, keys, found)
  }

  #undone(run: () => UndoResult, expected: (stampOf: (replica: number, key: string) => Stamp) => string[]): void {
    let result = run()
    while (result.incomplete !== undefined) {
      for (const { keys } of result.incomplete.keys) {
        this.#lookUp(
          result.incomplete.replica,
          Array.from({ length: keys.rows }, (_, i) => textAt(keys.keys[0]!, i)!),
        )
      }
      result = run()
    }
    const stamps = new Map<string, Stamp>()
    const texts = result.writes.flatMap((write) => {
      this.#records[write.replica]! += records(write.rows)
      return write.rows.flatMap(({ batch }) =>
        Array.from({ length: batch.rows }, (_, i) => {
          const row = rowAt(batch, i)
          const stamp = row.deleted ?? row.cells.find((one) => one !== null)!.stamp
          stamps.set(`${String(write.replica)} ${row.key[0]!}`, parseStamp(stamp)!)
          const columns = row.cells.flatMap((one, c) => (one === null ? [] : [`${'ab'[c]!}=${one.value ?? '\\N'}`]))
          return `${String(write.replica)} ${row.key[0]!} ${row.deleted === null ? columns.join(' ') : 'deleted'}`
        }),
      )
    })
    const unknown = { time: -1n, origin: 'UNKNOWN' }
    const wanted = expected((id, one) => stamps.get(`${String(id)} ${one}`) ?? unknown)
    expect(texts.sort()).toEqual(wanted.sort())
  }
}

/** Log lines that rows take: one for each distinct stamp. */
function records(tables: readonly TableRows[]): number {
  let sum = 0
  for (const { batch } of tables) {
    for (let i = 0; i < batch.rows; i++) {
      const { cells: held, deleted } = rowAt(batch, i)
      sum += new Set([...held.map((one) => one?.stamp ?? null), deleted].filter((stamp) => stamp !== null)).size
    }
  }
  return sum
}

const earlier = fc
  .uniqueArray(
    fc.record({
      key,
      registers: fc.tuple(
        fc.option(fc.record({ value: fc.constantFrom(...VALUES), stamp: replayed }), { nil: undefined }),
        fc.option(fc.record({ value: fc.constantFrom(...VALUES), stamp: replayed }), { nil: undefined }),
      ),
      tombstone: fc.option(replayed, { nil: undefined }),
    }),
    { selector: (row) => row.key },
  )
  .map((rows) => new Map(rows.filter((row) => plainText(row) !== '').map((row) => [row.key, row] as const)))

export function randomSemantics(name: string, make: MakeState): void {
  describe(`${name}: random operations on three replicas, beside a plain oracle`, () => {
    const holds = (
      before: fc.Arbitrary<ReadonlyMap<string, PlainRow>>,
      operation: fc.Arbitrary<Operation>,
      seed: number,
    ) => {
      fc.assert(
        fc.property(before, fc.array(operation, { maxLength: 40, size: 'max' }), (rows, operations) => {
          const pair = new Pair(make, rows)
          for (const one of operations) pair.run(one)
          pair.check()
          pair.run({ op: 'fullSync' })
          pair.check()
          const digests = NAMES.map((replicaName) => pair.world.state.digest(pair.world.id(replicaName), 0))
          expect(digests[1]).toEqual(digests[0])
          expect(digests[2]).toEqual(digests[0])
        }),
        { seed, numRuns: 800 },
      )
    }

    test('I2, I5: same rows, same compensations, same records; converged after FULL_SYNC', () => {
      holds(fc.constant(new Map<string, PlainRow>()), anything, 20261122)
    })

    test('I14: the same over databases that know more than the cache', () => {
      holds(earlier, written, 20261123)
    })

    test('I5: checked after every operation', () => {
      fc.assert(
        fc.property(fc.array(anything, { maxLength: 25, size: 'max' }), (operations) => {
          const pair = new Pair(make, new Map())
          for (const one of operations) {
            pair.run(one)
            pair.check()
          }
        }),
        { seed: 20261124, numRuns: 250 },
      )
    })
  })
}
