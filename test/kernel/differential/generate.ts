import { Draws } from '../../core/random.ts'
import type { Cell, Kind, Operation } from './operations.ts'
import { BASES, FLOORS, NAMES, STAMP_ORIGINS, STAMP_TIMES } from './stamps.ts'
import { TABLES, valuesUpTo } from './tables.ts'

/** What a session begins with; all from its seed. */
export interface Settings {
  readonly seed: number
  /** The tables in the order in which they are added. */
  readonly tables: readonly number[]
  readonly tablesAtFirst: number
  readonly replicasAtFirst: number
  readonly base: bigint
  readonly limits: { readonly undoStatements: number; readonly undoRows: number }
}

/** Relative frequencies. */
type Weights = Readonly<Partial<Record<Kind, number>>>

const USUAL: Weights = {
  set: 300,
  remove: 60,
  get: 60,
  restore: 8,
  learn: 25,
  merge: 24,
  fullSync: 1,
  undo: 40,
  rollback: 3,
  mark: 12,
  changes: 8,
  walk: 40,
  changed: 6,
  pending: 6,
  forget: 5,
  unresolved: 6,
  digest: 4,
  rows: 4,
  vector: 8,
  records: 4,
  raise: 2,
  floor: 3,
  startAt: 1,
  addReplica: 0.3,
  addTable: 0.2,
  compare: 1,
}

/** What a session is mostly about. */
interface Theme {
  readonly weights: Weights
  /** Keys that are met at first, and how many operations bring a new one. */
  readonly keys: number
  readonly growth: number
  readonly valueBytes: number
  /** Of 16 stamps so many are the clock's. */
  readonly newest: number
  /** Most rows of a step, 0 for any number. */
  readonly steps: readonly number[]
}

const theme = (weights: Weights, rest: Partial<Omit<Theme, 'weights'>> = {}): Theme => ({
  weights: { ...USUAL, ...weights },
  keys: 6,
  growth: 40,
  valueBytes: 17,
  newest: 10,
  steps: [0, 0, 0, 0, 0, 0, 0, 1, 3, 7, 20, 100],
  ...rest,
})

const THEMES: readonly Theme[] = [
  theme({}),
  theme({}, { keys: 3, growth: 500, newest: 5 }),
  theme({ merge: 5, fullSync: 0, undo: 120, rollback: 12, mark: 6, learn: 60, floor: 6 }, { newest: 13 }),
  theme({ merge: 60, fullSync: 2, undo: 60 }, { newest: 8 }),
  theme({ learn: 150, floor: 10, merge: 60, undo: 60, unresolved: 20 }, { newest: 8 }),
  theme({ changes: 40, walk: 150, forget: 20, merge: 40, records: 0 }, { keys: 20 }),
  theme({ restore: 150, startAt: 6, raise: 10, addReplica: 2, addTable: 0.5, mark: 10 }),
  theme({ compare: 0.2, digest: 1, fullSync: 1 }, { keys: 100, growth: 4, newest: 14, steps: [0, 100, 1000] }),
  theme({}, { valueBytes: 300, keys: 10 }),
  theme({ rollback: 8 }, { valueBytes: 9000, keys: 5, growth: 200 }),
]
const LARGE = theme({ set: 500, fullSync: 1, compare: 2 }, { valueBytes: 600_000, keys: 3, growth: 300 })

/** A session's settings and its operations, one after the other without end. */
export class Generator {
  readonly settings: Settings
  readonly #draws: Draws
  readonly #theme: Theme
  readonly #kinds: readonly Kind[]
  readonly #sums: readonly number[]
  readonly #values: number
  #made = 0
  #tables: number
  #replicas: number

  /** @param bias weights instead of the theme's own, for sessions that seek something */
  constructor(seed: number, bias: Weights = {}) {
    const draws = (this.#draws = new Draws(seed))
    this.#theme = draws.below(40) === 0 ? LARGE : draws.of(THEMES)
    const weights = { ...this.#theme.weights, ...bias }
    this.#kinds = Object.keys(weights) as Kind[]
    let sum = 0
    this.#sums = this.#kinds.map((kind) => (sum += weights[kind] ?? 0))
    this.#values = valuesUpTo(this.#theme.valueBytes)
    const tables = tablesOf(draws)
    const small = draws.below(2) === 0
    this.settings = {
      seed,
      tables,
      tablesAtFirst: 1 + draws.below(3),
      replicasAtFirst: 2 + draws.below(3),
      base: draws.of(BASES),
      limits: small
        ? { undoStatements: 1 + draws.below(20), undoRows: 1 + draws.below(30) }
        : { undoStatements: 10_000, undoRows: 1_000_000 },
    }
    this.#tables = this.settings.tablesAtFirst
    this.#replicas = this.settings.replicasAtFirst
  }

  next(): Operation {
    this.#made++
    const at = this.#draws.below(1_000_000) * (this.#sums.at(-1)! / 1_000_000)
    return this.#operation(this.#kinds[this.#sums.findIndex((sum) => at < sum)]!)
  }

  /** Whether an operation takes much longer than in other sessions. */
  get isSlow(): boolean {
    const { tables, tablesAtFirst } = this.settings
    return this.#theme === LARGE || tables.slice(0, tablesAtFirst).some(isWide)
  }

  /** A SET of a new key whose values have up to so many bytes. */
  filler(key: number, bytes: number): Operation {
    const draws = this.#draws
    const table = draws.below(this.#tables)
    const values = valuesUpTo(bytes)
    const columns = [...TABLES[this.settings.tables[table]!]!.values.keys()].slice(0, 5)
    const cells = columns.map((column): Cell => [column, draws.below(values)])
    return { kind: 'set', replica: draws.below(this.#replicas), table, key, cells, stamp: 0 }
  }

  #operation(kind: Kind): Operation {
    const draws = this.#draws
    const replica = draws.below(this.#replicas)
    switch (kind) {
      case 'set': {
        const place = this.#place()
        return { kind, ...place, cells: this.#cells(place.table), stamp: this.#stamp() }
      }
      case 'remove':
        return { kind, ...this.#place(), stamp: this.#stamp() }
      case 'get':
        return { kind, ...this.#place() }
      case 'restore': {
        const place = this.#place()
        const cells = draws.below(4) === 0 ? [] : this.#cells(place.table)
        return { kind, ...place, cells, stamp: this.#stamp(), records: draws.below(3) }
      }
      case 'learn': {
        const { table } = this.#place()
        const keys = Array.from({ length: 1 + draws.below(8) }, () => this.#key())
        return { kind, replica, table, keys: [...new Set(keys)], seed: this.#seed(), bad: draws.below(50) === 0 }
      }
      case 'merge': {
        const start = draws.below(12)
        const leave = draws.below(4) === 0 ? 1 + draws.below(3) : 0
        const from = draws.below(this.#replicas)
        return { kind, into: replica, from, start: start < 10 ? 0 : start - 9, leave, ...this.#mergeOptions() }
      }
      case 'fullSync':
        return { kind, ...this.#mergeOptions() }
      case 'undo':
        return { kind, replica: draws.below(3) === 0 ? -1 : replica, seed: this.#seed() }
      case 'rollback':
        return { kind, seed: this.#seed() }
      case 'mark':
        return { kind, mark: draws.of(['open', 'commit', 'commit', 'fullSync', 'fullSync'] as const) }
      case 'changes':
        return { kind, replica, from: this.#from(), rows: draws.of(this.#theme.steps) }
      case 'walk':
        return { kind, walker: draws.below(4), replica, from: this.#from(), rows: 1 + draws.below(5) }
      case 'changed':
      case 'pending':
      case 'forget':
        return { kind, replica, from: this.#from() }
      case 'unresolved':
        return { kind, replica, limit: draws.of([0, 1, 3, 1e9, 1e9, 1e9]) }
      case 'digest':
        return { kind, replica, table: draws.below(this.#tables) }
      case 'vector':
      case 'records':
        return { kind, replica }
      case 'raise':
        return { kind, replica, stamps: Array.from({ length: 1 + draws.below(3) }, () => this.#stamp()) }
      case 'floor':
        return { kind, replica, time: draws.below(FLOORS.length + 1) }
      case 'startAt':
        return { kind, replica, more: draws.of([0, 1, 5, 1000, 2 ** 20, 2 ** 32, 2 ** 38]) }
      case 'addReplica':
        this.#replicas = Math.min(NAMES.length, this.#replicas + 1)
        return { kind }
      case 'addTable':
        this.#tables = Math.min(TABLES.length, this.#tables + 1)
        return { kind }
      case 'rows':
      case 'compare':
        return { kind }
    }
  }

  #place(): { readonly replica: number; readonly table: number; readonly key: number } {
    const draws = this.#draws
    return { replica: draws.below(this.#replicas), table: draws.below(this.#tables), key: this.#key() }
  }

  /** Rather a late position than an early one: back from the last. */
  #from(): number {
    return Math.min(this.#draws.below(24), this.#draws.below(24), this.#draws.below(24))
  }

  /** From a few, from all that there were so far, or a new one. */
  #key(): number {
    const { keys, growth } = this.#theme
    const far = keys + Math.floor(this.#made / growth)
    return this.#draws.below(3) === 0 ? this.#draws.below(far) : this.#draws.below(keys)
  }

  /** By rising column. */
  #cells(table: number): Cell[] {
    const draws = this.#draws
    const most = TABLES[this.settings.tables[table]!]!.values.length
    // All columns, some, or one.
    const share = draws.of([0, 0, 1, 3])
    const cells: Cell[] = []
    for (let column = 0; column < most; column++) {
      if (share === 0 ? true : draws.below(most) < share) cells.push([column, this.#value()])
    }
    return cells.length > 0 ? cells : [[draws.below(most), this.#value()]]
  }

  #value(): number {
    const draws = this.#draws
    const drawn = draws.below(8)
    if (drawn === 0) return -1
    return draws.below(drawn < 5 ? 6 : this.#values)
  }

  #stamp(): number {
    const draws = this.#draws
    const origin = draws.below(3) === 0 ? 1 + draws.below(STAMP_ORIGINS - 1) : 0
    const time = draws.below(16) < this.#theme.newest ? 0 : 1 + draws.below(STAMP_TIMES - 1)
    return time + 16 * origin
  }

  #mergeOptions(): { readonly rows: number; readonly list: number; readonly seed: number } {
    const draws = this.#draws
    return { rows: draws.of(this.#theme.steps), list: draws.of([0, 0, 1, 3, 1e6]), seed: this.#seed() }
  }

  #seed(): number {
    return this.#draws.below(2 ** 31)
  }
}

const isWide = (table: number): boolean => TABLES[table]!.values.length > 9

/** Tables in any order; the one of many columns, which takes long, is mostly the last. */
function tablesOf(draws: Draws): number[] {
  const all = [...TABLES.keys()]
  const narrow = shuffled(
    draws,
    all.filter((table) => !isWide(table)),
  )
  return draws.below(16) === 0 ? [...all.filter(isWide), ...narrow] : [...narrow, ...all.filter(isWide)]
}

function shuffled<T>(draws: Draws, items: readonly T[]): T[] {
  const left = [...items]
  return items.map(() => left.splice(draws.below(left.length), 1)[0]!)
}
