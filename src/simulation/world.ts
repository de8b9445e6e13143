import type { Capabilities } from '../connectors/connector.ts'
import type { StampedRow } from '../core/batch.ts'
import { stampText } from '../core/stamp.ts'
import { SimulatedDatabase, type RowWatch } from './database.ts'
import { Names } from './files.ts'
import { Link } from './link.ts'
import type { Server } from './connector.ts'
import type { Plan } from './plan.ts'
import { Schedule, type Life } from './schedule.ts'
import { Seeds, type Chance } from './seeds.ts'
import { Trace } from './trace.ts'

/** 2026-11-22 00:00:00 UTC, in nanoseconds: when every simulated world begins. */
const BEGIN = 1_795_305_600_000_000_000n
/** No session gives a stamp before this, however far its clock is set back. */
export const EARLIEST = '2026-11-21 12'
/** Microseconds until a server sees that a process that held it open is gone, at most. */
const NOTICED = 3_000_000

export const STATE = '/state'
/** The origin of rows that databases held before Merganser came. */
export const BEFORE = 'BEFORE'

/** What a database of the simulation can hold: everything, but for a picky one. */
function capabilities(picky: boolean, batchRows: number): Capabilities {
  return {
    batch: { rows: batchRows, bytes: 16 * 1024 * 1024 },
    nulInText: !picky,
    nonFinite: true,
    negativeZero: true,
    timestampDigits: 9,
    minYear: 1,
    maxYear: 9999,
    nulInJson: true,
    nulInJsonNames: true,
    decimalDigits: 38,
    keyBytes: 2000,
    valueBytes: 512 * 1024,
    sharedReads: true,
  }
}

/** All that outlives a process: time, disk, servers and the ways to them. */
export class World {
  readonly plan: Plan
  readonly seeds: Seeds
  readonly schedule: Schedule
  readonly trace: Trace
  /** Ends never. */
  readonly life: Life = { ended: false }
  readonly names = new Names()
  readonly servers = new Map<string, Server>()
  /** Who holds which lock file. */
  readonly locks = new Map<string, Life>()
  readonly injected = new Map<string, number>()
  /** No fault of links, disks and writes happens any more. */
  healed = false
  /** Microseconds by which the wall clock was set. */
  #stepped = 0
  /** Until when the disk is full; a call that fails, and how many of its kind come before it. */
  fullUntil = 0
  /** When a call of the disk failed last. */
  diskFailed = -1
  struck: { readonly call: string; after: number } | undefined

  constructor(seed: number, plan: Plan, watch: (replica: number) => RowWatch, keepTrace: boolean) {
    this.plan = plan
    this.seeds = new Seeds(seed)
    const order = this.seeds.stream('order')
    this.schedule = new Schedule(() => order.fraction())
    this.trace = new Trace(keepTrace)
    for (const [replica, name] of plan.replicas.entries()) {
      const database = new SimulatedDatabase(name, capabilities(plan.picky === replica, plan.batchRows), watch(replica))
      const link = new Link(this.schedule, this.life, this.chance(`link ${name}`), this.inject)
      link.faults = plan.link
      this.servers.set(name, { database, link })
    }
    this.#fill()
  }

  chance(name: string): Chance {
    return this.seeds.stream(name)
  }

  /** Nanoseconds since 1970, as the machine's clock has it now. */
  wall(): bigint {
    const { now } = this.schedule
    return BEGIN + BigInt(Math.round((now + (now * this.plan.drift) / 1_000_000 + this.#stepped) * 1_000))
  }

  /** @param by milliseconds */
  stepClock(by: number): void {
    this.#stepped += by * 1_000
  }

  tell(what: string): void {
    this.trace.add(this.schedule.now, what)
  }

  readonly inject = (fault: string): void => {
    this.injected.set(fault, (this.injected.get(fault) ?? 0) + 1)
    this.tell(`fault: ${fault}`)
  }

  /** The servers notice, sooner or later, that a process is gone. */
  died(): void {
    const chance = this.chance(`noticed ${String(this.schedule.now)}`)
    for (const { database } of this.servers.values()) {
      const { holder } = database
      if (holder === undefined) continue
      this.schedule.at(chance.below(NOTICED), this.life, () => {
        holder.gone = true
      })
    }
  }

  /** Every fault ends: servers are up and fast, links whole, the disk has room. */
  heal(): void {
    this.healed = true
    this.fullUntil = 0
    this.struck = undefined
    for (const { link } of this.servers.values()) {
      link.faults = { ...link.faults, loss: 0, duplicates: 0, reset: 0, latency: 300, lateness: 0 }
      link.down = link.requestsCut = link.answersCut = 0
    }
  }

  /** The rows that all databases hold before Merganser comes. */
  #fill(): void {
    const { tables, initialRows } = this.plan
    for (const { database } of this.servers.values()) {
      for (const table of tables) if (initialRows > 0) database.create(table)
      for (let n = 0; n < initialRows; n++) {
        const table = tables[n % tables.length]!
        const key = table.key.length === 1 ? [`k${String(n)}`] : [`S${String(n % 7)}`, `C${String(n)}`]
        const cells = table.values.map((_, column) =>
          (n + column) % 4 === 3 ? null : { value: `initial${String(n)}`, stamp: initialStamp(n * 2 + column) },
        )
        const row: StampedRow = { key, cells, deleted: n % 5 === 4 ? initialStamp(n * 2) : null }
        database.put(table, normal(row))
      }
    }
  }
}

function initialStamp(n: number): string {
  return stampText({ time: BEGIN - 86_400_000_000_000n + BigInt(n), origin: BEFORE })
}

/** Without what the tombstone covers, and without a tombstone that every column has outlived. */
function normal({ key, cells, deleted }: StampedRow): StampedRow {
  const left = cells.map((cell) => (cell !== null && deleted !== null && cell.stamp <= deleted ? null : cell))
  return { key, cells: left, deleted: left.every((cell) => cell !== null) ? null : deleted }
}
