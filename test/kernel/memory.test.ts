import { describe, expect, test } from 'vitest'
import { RowInput } from '../../src/core/state.ts'
import { keyBytes } from '../../src/core/table.ts'
import { Draws } from '../core/random.ts'
import { failureText, runSessions } from './differential.ts'
import type { Kind } from './differential/operations.ts'
import { TABLES } from './differential/tables.ts'
import { newKernel, type Build } from './subjects.ts'

const REFUSING: readonly Kind[] = ['set', 'remove', 'restore', 'learn', 'rollback']
/** Rather what needs memory than what reads. */
/** Minutes on a machine that does other things too. */
const TIME_LIMIT = 300_000
const BIAS = { remove: 100, restore: 60, learn: 60, merge: 60, undo: 60, rollback: 15, raise: 10, floor: 8, mark: 2 }

/** Sessions in little memory, which is filled first; how often each kind of operation was refused. */
function inLittleMemory(build: Build, seed: number, sessions: number): ReadonlyMap<Kind, number> {
  const refused = new Map<Kind, number>()
  let unaligned = 0
  for (let i = 0; i < sessions; i++) {
    const result = runSessions(seed + i, 600, {
      make: (limits) => newKernel({ ...build, ...limits, maximumPages: 60 + ((i * 37) % 140) }),
      limited: true,
      fill: true,
      bias: BIAS,
      length: 600,
    })
    expect(result.failure === undefined ? '' : failureText(result.failure)).toBe('')
    for (const [kind, times] of result.refused) refused.set(kind, (refused.get(kind) ?? 0) + times)
    unaligned += result.unaligned
  }
  expect(unaligned).toBeLessThan(sessions / 2)
  return refused
}

describe('full memory', () => {
  test.each([{ build: 'release', shared: true } as const, { build: 'debug', shared: false } as const])(
    'I11: every kind of operation is refused before anything of it is done, and reading goes on ($build, shared $shared)',
    (build) => {
      const refused = inLittleMemory(build, 1, 24)
      expect(REFUSING.filter((kind) => !refused.has(kind))).toEqual([])
    },
    TIME_LIMIT,
  )
})

describe('a memory full of small rows', () => {
  const kernel = newKernel({ build: 'debug', maximumPages: 200 })
  const table = kernel.addTable(TABLES[0]!)
  const input = new RowInput()
  let rows = 0
  for (const name of ['A', 'B']) kernel.addReplica(name)
  const set = () => {
    input.setKey(keyBytes(TABLES[0]!, [`k${String(rows)}`]))
    input.clear()
    input.addCell(0, 'x')
    kernel.set(0, table, input, { time: BigInt(rows), origin: 'A' })
  }
  const full = { code: 'MEMORY_LIMIT' }

  test('I11: rows are taken until one is refused, and that one is not there', () => {
    expect(() => {
      for (; ; rows++) set()
    }).toThrow(expect.objectContaining(full))
    expect(rows).toBeGreaterThan(1000)
    expect([kernel.rows(), kernel.records(0)]).toEqual([rows, rows])
    expect(kernel.get(0, table, input).row).toBeUndefined()
  })

  test('I11: a merge, an UNDO and a ROLLBACK are refused before anything is done', () => {
    const stamp = () => ({ time: BigInt(rows + 1), origin: 'A' })
    const { hash } = kernel.digest(0, table)
    expect(() => kernel.merge(1, 0, 0, { rows: 100, bytes: 1e9 }, 0)).toThrow(expect.objectContaining(full))
    expect(() => kernel.undo(0, stamp)).toThrow(expect.objectContaining(full))
    expect(() => kernel.rollback(stamp)).toThrow(expect.objectContaining(full))
    expect(kernel.digest(0, table).hash).toBe(hash)
    expect(kernel.digest(1, table).rows).toBe(0)
    expect(kernel.records(1)).toBe(0)
  })

  test('I11: what is there can still be flushed, in as many parts as it takes', () => {
    let [flushed, position] = [0, 0]
    for (let done = false; !done;) {
      const part = kernel.changes(0, position, { rows: 100_000, bytes: 1e9 })
      flushed += part.changed.reduce((sum, { batch }) => sum + batch.rows, 0)
      for (const { batch } of part.changed) batch.release?.()
      ;({ upTo: position, done } = part)
    }
    expect(flushed).toBe(rows)
  })
})

describe('memory in use', () => {
  test('I11: 20,000 values of mixed lengths, overwritten 100 times, keep it level', () => {
    const kernel = newKernel()
    const schema = TABLES[0]!
    const table = kernel.addTable(schema)
    const replica = kernel.addReplica('A')
    const draws = new Draws(20261122)
    const input = new RowInput()
    const texts = [0, 1, 5, 6, 20, 100, 255, 256, 300, 1000, 4096].map((length) => 'x'.repeat(length))
    const keys = Array.from({ length: 20_000 }, (_, i) => keyBytes(schema, [`k${String(i)}`]))
    const bytes: number[] = []
    let time = 0n
    for (let round = 0; round < 100; round++) {
      for (const key of keys) {
        input.setKey(key)
        input.clear()
        input.addCell(0, draws.of(texts))
        kernel.set(replica, table, input, { time: ++time, origin: 'A' })
      }
      kernel.forget(replica, kernel.records(replica))
      if (round % 10 === 9) kernel.mark('commit')
      bytes.push(kernel.memoryBytes())
    }
    const early = Math.max(...bytes.slice(0, 20))
    expect(Math.max(...bytes.slice(20)), bytes.join(' ')).toBeLessThan(early * 1.02)
    expect(kernel.rows()).toBe(20_000)
  })
})
