import type { Chance } from './seeds.ts'

/** Long before any session: stamps of lines that are replayed. */
const REPLAYED = '2020-01-01 00:00:00.'
const ORIGINS = ['HIVE', 'POSTGRESQL', 'ELSEWHERE', 'ZULU']
/** Keys that only replayed lines name: nothing newer hides who won between equal times. */
const REPLAYED_KEYS = 3

/** What share of the statements each kind has. */
const SHARES: readonly (readonly [string, number])[] = [
  ['set', 470],
  ['get', 250],
  ['delete', 80],
  ['merge', 90],
  ['undo', 40],
  ['replayed', 30],
  ['fullSync', 12],
  ['sync', 14],
  ['commit', 8],
  ['rollback', 6],
]

/** Draws statements over a few keys, so that they meet. Every value is written once in a run. */
export class Workload {
  readonly #chance: Chance
  readonly #names: readonly string[]
  readonly #refused: boolean
  readonly #shares: readonly (readonly [string, number])[]
  readonly #keys: number
  #values = 0

  /** @param refused whether now and then a text has what not every database can hold */
  constructor(chance: Chance, names: readonly string[], refused: boolean) {
    this.#chance = chance
    this.#names = names
    this.#refused = refused
    // Whether a replayed line that is older than what the database holds counts as a write, and so can be taken back,
    // depends on what the cache knows: the two don't go together here.
    const left = chance.happens(0.5) ? ['replayed'] : ['undo', 'rollback']
    this.#shares = SHARES.filter(([kind]) => !left.includes(kind))
    this.#keys = chance.pick([3, 20, 200])
  }

  /** Of each table, at most. */
  get keys(): number {
    return this.#keys + REPLAYED_KEYS
  }

  lines(count: number): string[] {
    return Array.from({ length: count }, () => this.#line())
  }

  #line(): string {
    const chance = this.#chance
    const name = chance.pick(this.#names)
    let left = chance.below(this.#shares.reduce((sum, [, share]) => sum + share, 0))
    const kind = this.#shares.find(([, share]) => (left -= share) < 0)![0]
    switch (kind) {
      case 'set':
        return `${name}.${this.#set()}`
      case 'get':
        return `${name}.${this.#table() ? `t.GET(${this.#pair()})` : `GET(${this.#grade()})`}`
      case 'delete':
        return `${name}.${this.#table() ? `t.DELETE(${this.#pair()})` : `DELETE(${this.#grade()})`}`
      case 'merge': {
        const other = chance.pick(this.#names.filter((one) => one !== name))
        return `${name}.MERGE(${other})`
      }
      case 'undo':
        return chance.happens(0.5) ? 'UNDO' : `${name}.UNDO`
      case 'replayed':
        return this.#replayed(name)
      case 'sync':
        return chance.happens(0.5) ? 'SYNC' : `${name}.SYNC`
      case 'fullSync':
        return 'FULL_SYNC'
      case 'commit':
        return 'COMMIT'
      default:
        return 'ROLLBACK'
    }
  }

  #set(): string {
    const chance = this.#chance
    if (!this.#table()) return `SET(${this.#grade()}, ${this.#value()})`
    const cells = chance.pick([['a'], ['b'], ['a', 'b']])
    return `t.SET(${this.#pair()}, {${cells.map((column) => `${column}: ${this.#value()}`).join(', ')}})`
  }

  /** A line of another log. The value follows from stamp and key, since a stamp stands for one value. */
  #replayed(name: string): string {
    const chance = this.#chance
    const drawn = chance.below(20)
    const origin = chance.pick(ORIGINS)
    const apart = chance.happens(0.5)
    const key = apart ? `(R,R${String(chance.below(REPLAYED_KEYS))})` : this.#grade()
    // Few times, so that two origins have the same.
    const time = apart ? drawn % 2 : drawn
    const stamp = `${REPLAYED}${String(time).padStart(9, '0')}Z@${origin}`
    return `${stamp}, ${name}.SET(${key}, replayed${String(time)}${origin})`
  }

  #table(): boolean {
    return this.#chance.happens(0.5)
  }

  #pair(): string {
    return `(k${String(this.#number())})`
  }

  #grade(): string {
    const number = this.#number()
    return `(S${String(number % 7)},C${String(number)})`
  }

  /** Some keys are met much more often than others. */
  #number(): number {
    const fraction = this.#chance.fraction()
    return Math.floor(fraction * fraction * this.#keys)
  }

  #value(): string {
    const chance = this.#chance
    const number = `v${String(++this.#values)}`
    if (chance.happens(0.05)) return '\\N'
    if (this.#refused && chance.happens(0.03)) return JSON.stringify(`${number}\0`)
    if (chance.happens(0.03)) return JSON.stringify(`${number}, "quoted" \\ ü\n`)
    return number
  }
}
