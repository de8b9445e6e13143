import { assert, expect } from 'vitest'
import { decodePositions, type Positions } from '../../../../src/engine/positions.ts'
import { NodeDisk } from '../../../../src/environment/node-disk.ts'
import { readPositions } from '../../../../src/oplog/positions.ts'
import { inspectLog } from '../../../../src/oplog/recover.ts'
import { KEYS, numberIn, type Operation } from './operations.ts'

/** What replicas show: a value, or null for no row, by key. */
export type Shown = Readonly<Record<string, string | null>>

/**
 * Holds what a program shows against what it had acknowledged, over all sessions of one state directory: each row must
 * come from an acknowledged operation or from a later one. Knows nothing of stamps, logs or the product's join: it goes
 * by the number of the operation, which rises as stamps do.
 */
export class Judge {
  readonly #replicas: readonly string[]
  /** Per replica and key, the number of the operation that surely holds, or an earlier one than what does. */
  readonly #sure: ReadonlyMap<string, Map<string, number>>
  readonly #writes = new Map<number, Operation & { readonly op: 'set' | 'delete' }>()
  #asked: readonly Operation[] = []
  #acknowledged = 0
  #last = 0
  /** Operations that were acknowledged, and rows that were compared. */
  readonly counts = { acknowledged: 0, compared: 0 }

  constructor(replicas: readonly string[]) {
    this.#replicas = replicas
    this.#sure = new Map(replicas.map((name) => [name, new Map()]))
  }

  /** The number of the next operation. */
  get next(): number {
    return this.#last + 1
  }

  /** A session begins that is asked to do these, in order. */
  asks(asked: readonly Operation[]): void {
    this.#asked = asked
    this.#acknowledged = 0
    for (const operation of asked) {
      if (operation.op === 'set' || operation.op === 'delete') {
        this.#writes.set(operation.n, operation)
      }
      this.#last = operation.n
    }
  }

  /** The session said that the first `count` operations that it was asked for are durable. */
  acknowledges(count: number): void {
    expect(count).toBeLessThanOrEqual(this.#asked.length)
    for (const operation of this.#asked.slice(this.#acknowledged, count)) this.#apply(operation)
    this.counts.acknowledged += Math.max(0, count - this.#acknowledged)
    this.#acknowledged = Math.max(this.#acknowledged, count)
  }

  /** A replica shows this of a key; being shown, it may not be lost any more either. */
  shows(replica: string, key: string, value: string | null): void {
    const where = `${replica}.${key}`
    const sure = this.#sure.get(replica)!.get(key) ?? 0
    const n = value === null ? this.#deletionFrom(key, sure) : this.#setIn(where, key, value)
    assert(
      n >= sure,
      `${where} shows ${value?.slice(0, 20) ?? 'no row'}, but operation ${String(sure)} was acknowledged`,
    )
    this.#sure.get(replica)!.set(key, n)
    this.counts.compared++
  }

  /** All replicas show the same, and nothing that was acknowledged at any of them is missing. */
  converged(shown: Readonly<Record<string, Shown>>): void {
    const [first] = this.#replicas
    for (const replica of this.#replicas) {
      expect(shown[replica], `${replica} as ${first!}`).toEqual(shown[first!])
      for (const key of KEYS) {
        const most = Math.max(...this.#replicas.map((name) => this.#sure.get(name)!.get(key) ?? 0))
        this.#sure.get(replica)!.set(key, most)
        this.shows(replica, key, shown[replica]![key] ?? null)
      }
    }
  }

  #apply(operation: Operation): void {
    switch (operation.op) {
      case 'set':
      case 'delete':
        this.#raise(operation.replica, operation.key, operation.n)
        return
      case 'merge':
        this.#merge(operation.replica, operation.from)
        return
      case 'fullSync':
        for (const other of this.#replicas.slice(1)) this.#merge(this.#replicas[0]!, other)
        for (const other of this.#replicas.slice(1)) this.#merge(other, this.#replicas[0]!)
        return
      case 'sync':
    }
  }

  #merge(into: string, from: string): void {
    for (const [key, n] of this.#sure.get(from)!) this.#raise(into, key, n)
  }

  #raise(replica: string, key: string, n: number): void {
    const rows = this.#sure.get(replica)!
    rows.set(key, Math.max(n, rows.get(key) ?? 0))
  }

  /** The SET that wrote a value. */
  #setIn(where: string, key: string, value: string): number {
    const n = numberIn(value)
    const written = n === undefined ? undefined : this.#writes.get(n)
    assert(
      written?.op === 'set' && written.key === key,
      `I8: ${where} shows ${value.slice(0, 40)} (${String(value.length)} characters), which nobody wrote there`,
    )
    return written.n
  }

  /** The least that no row at all can come from: nothing was ever there, or a DELETE not before `sure`. */
  #deletionFrom(key: string, sure: number): number {
    if (sure === 0) return 0
    for (let n = sure; n <= this.#last; n++) {
      const write = this.#writes.get(n)
      if (write?.op === 'delete' && write.key === key) return n
    }
    return -1
  }
}

const disk = new NodeDisk()

/**
 * What the state directory says of itself, nobody writing: every log is whole but for a torn tail, and the recorded
 * positions say no more than the logs hold (I6). Gives the bytes of torn tails.
 */
export async function checkState(directory: string, replicas: readonly string[]): Promise<number> {
  const path = `${directory}/positions`
  const content = await readPositions(disk, path)
  const positions: Positions = content === undefined ? new Map() : decodePositions(content, path)
  const logs = new Map(
    await Promise.all(replicas.map(async (name) => [name, await inspectLog(disk, directory, name)] as const)),
  )
  for (const [name, position] of positions) {
    const { records, logId } = logs.get(name)!
    expect(position.log).toBe(logId)
    expect(position.records, `I6: records of ${name}`).toBeLessThanOrEqual(records)
    expect(position.flushed, `I6: flushed of ${name}`).toBeLessThanOrEqual(records)
    for (const [other, { log, position: seen }] of position.seen) {
      expect(log).toBe(logs.get(other)!.logId)
      expect(seen, `I6: what ${name} has seen of ${other}`).toBeLessThanOrEqual(logs.get(other)!.records)
    }
  }
  return [...logs.values()].reduce((bytes, { torn }) => bytes + (torn?.bytes ?? 0), 0)
}
