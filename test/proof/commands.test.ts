import { expect, test } from 'vitest'
import { finish } from '../../src/engine/finish.ts'
import { rowAt } from '../../src/core/batch.ts'
import { Chance } from '../../src/simulation/seeds.ts'
import { Oracle, type Change } from '../engine/oracle.ts'
import { execute, PAIRS } from '../engine/support.ts'
import { newKernel } from '../kernel/subjects.ts'
import { firstSeed, record, runsOf } from '../support/proof.ts'
import { InstantWorld, type Life } from './support/instant-world.ts'

/*
 * Commands against a plain model, with crashes: the engine, its logs and lanes as they are, on a disk and databases in
 * memory. Each run is a session that is killed, with or without the loss of what wasn't synced, behind some writes that
 * nobody waited for, and the restart: of these writes each replica may lose the last ones, but nothing before them.
 */

const RUNS = runsOf({ ci: 10_000, nightly: 500_000 })
const FIRST = firstSeed()
/** Runs that follow each other in one world, each on what the one before left. */
const IN_A_WORLD = 10
/** So many worlds with the model of the state, then one with the kernel, which takes longer to begin. */
const KERNEL_EVERY = 20
const NAMES = ['A', 'B', 'C']
const KEYS = ['k1', 'k2', 'k3']
const VALUES = ['x', 'y', '', null]

const counts: Record<string, number> = {}
const count = (what: string, by = 1) => (counts[what] = (counts[what] ?? 0) + by)

type Read = { readonly op: 'get'; readonly replica: number; readonly key: string }
type Command = Change | Read

function drawCommand(chance: Chance, replicas: number): Command {
  const replica = chance.below(replicas)
  const key = chance.pick(KEYS)
  const drawn = chance.below(16)
  if (drawn < 5) {
    const columns = chance.pick([['a'], ['b'], ['a', 'b']])
    return { op: 'set', replica, key, cells: Object.fromEntries(columns.map((name) => [name, chance.pick(VALUES)])) }
  }
  if (drawn < 9) return { op: 'get', replica, key }
  if (drawn < 11) return { op: 'delete', replica, key }
  if (drawn < 13) return { op: 'merge', replica, other: (replica + 1 + chance.below(replicas - 1)) % replicas }
  if (drawn < 14) return { op: 'undo', replica: chance.below(2) === 0 ? replica : undefined }
  return { op: chance.pick(['fullSync', 'commit', 'rollback', 'sync']) }
}

const item = (text: string | null) => (text === null ? '\\N' : JSON.stringify(text))

function lineOf(command: Command): string {
  switch (command.op) {
    case 'set': {
      const cells = Object.entries(command.cells).map(([column, text]) => `${column}: ${item(text)}`)
      return `${NAMES[command.replica]!}.SET(${command.key}, {${cells.join(', ')}})`
    }
    case 'merge':
      return `${NAMES[command.replica]!}.MERGE(${NAMES[command.other]!})`
    case 'undo':
      return command.replica === undefined ? 'UNDO' : `${NAMES[command.replica]!}.UNDO`
    case 'get':
    case 'delete':
      return `${NAMES[command.replica]!}.${command.op.toUpperCase()}(${command.key})`
    default:
      return command.op === 'fullSync' ? 'FULL_SYNC' : command.op.toUpperCase()
  }
}

const shown = (cells: readonly (string | null)[] | undefined) =>
  cells === undefined ? 'none' : `{a: ${shownItem(cells[0]!)}, b: ${shownItem(cells[1]!)}}`
const shownItem = (cell: string | null) => (cell === null ? '\\N' : cell === '' ? '""' : cell)

/** The runs of one seed: what goes wrong is thrown. */
class Runs {
  readonly #chance: Chance
  readonly #replicas: number
  readonly #oracle: Oracle
  readonly #world: InstantWorld
  /** The writes that nobody waited for, of the session before. */
  #doubtful: Extract<Change, { op: 'set' }>[] = []
  #written = 0

  constructor(seed: number) {
    this.#chance = new Chance(seed)
    this.#replicas = seed % 4 === 0 ? 3 : 2
    this.#oracle = new Oracle(this.#replicas)
    const makeState = seed % KERNEL_EVERY === 0 ? (limits: object) => newKernel(limits) : undefined
    this.#world = new InstantWorld(this.#chance, NAMES.slice(0, this.#replicas), PAIRS, makeState)
  }

  async run(lives: number): Promise<void> {
    for (let left = lives; left > 0; left--) {
      const life = await this.#begin()
      await this.#commands(life)
      await life.session.engine.durable()
      await this.#doubts(life)
      const power = this.#chance.below(2) === 0
      count(power ? 'power losses' : 'kills')
      await life.die(power)
    }
    const life = await this.#begin()
    await this.#commands(life)
    await execute(life.session, 'FULL_SYNC')
    this.#oracle.execute({ op: 'fullSync' })
    const report = await finish(life.session, () => 0)
    await life.session.close()
    expect({ converged: report.converged, status: report.exitStatus }).toEqual({ converged: true, status: 0 })
    for (let replica = 0; replica < this.#replicas; replica++) await this.#databaseHolds(replica)
  }

  /** Opens a session and finds out what is left of the doubtful writes: on each replica the first ones. */
  async #begin(): Promise<Life> {
    const life = await this.#world.open()
    expect(life.told.messages.filter((text) => !text.includes('were never acknowledged'))).toEqual([])
    count('torn tails', life.told.messages.length)
    const answers = await this.#answers(
      life,
      this.#doubtful.map(({ replica, key }) => lineOf({ op: 'get', replica, key })),
    )
    const lost = new Set<number>()
    for (const [i, write] of this.#doubtful.entries()) {
      const { replica, key, cells } = write
      const name = `${NAMES[replica]!}.GET((${key})) = `
      if (answers[i] === `${name}none`) {
        lost.add(replica)
        count('unacknowledged writes lost')
        continue
      }
      expect(answers[i]).toBe(`${name}${shown([cells['a'] ?? null, null])}`)
      expect(lost.has(replica), 'a write is there behind one that is lost').toBe(false)
      count('unacknowledged writes kept')
      this.#oracle.execute(write)
    }
    this.#doubtful = []
    // Opening a session is a point that UNDO doesn't go behind.
    this.#oracle.open()
    return life
  }

  async #commands(life: Life): Promise<void> {
    const commands = Array.from({ length: 2 + this.#chance.below(7) }, () => drawCommand(this.#chance, this.#replicas))
    const expected: string[] = []
    for (const command of commands) {
      if (command.op !== 'get') this.#oracle.execute(command)
      else {
        const { replica, key } = command
        expected.push(`${NAMES[replica]!}.GET((${key})) = ${shown(this.#oracle.get(replica, key))}`)
      }
    }
    count('commands', commands.length)
    expect(await this.#answers(life, commands.map(lineOf))).toEqual(expected)
  }

  /** Executes lines; what was shown for them once all of it is acknowledged. */
  async #answers({ session, told }: Life, lines: readonly string[]): Promise<string[]> {
    const before = told.lines.length
    await execute(session, lines.join('\n'))
    await session.engine.durable()
    return told.lines.slice(before)
  }

  async #doubts({ session }: Life): Promise<void> {
    for (let left = this.#chance.below(4); left > 0; left--) {
      const replica = this.#chance.below(this.#replicas)
      const key = `new${String(++this.#written)}`
      this.#doubtful.push({ op: 'set', replica, key, cells: { a: 'x' } })
    }
    await execute(session, this.#doubtful.map(lineOf).join('\n'))
    // Killed somewhere in the middle of bringing them to disk.
    for (let turns = this.#chance.below(4); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve))
  }

  async #databaseHolds(replica: number): Promise<void> {
    const name = NAMES[replica]!
    const { connector } = this.#world
    const store = await connector.open(
      {},
      { access: 'read', directory: `/state/databases/${name.toLowerCase()}`, replica: name },
    )
    const rows = new Map<string, string>()
    for await (const batch of store.scanRows(PAIRS)) {
      for (let i = 0; i < batch.rows; i++) {
        const { key, cells } = rowAt(batch, i)
        const exists = cells.some((cell) => cell !== null)
        rows.set(key[0]!, shown(exists ? cells.map((cell) => cell?.value ?? null) : undefined))
      }
    }
    await store.close()
    for (const [key, cells] of this.#oracle.rows(replica)) expect(rows.get(key) ?? 'none').toBe(shown(cells))
  }
}

test('I4, I6, I13: commands with crashes and restarts do what a plain model does, and lose nothing acknowledged', async () => {
  const before = process.cpuUsage()
  for (let [seed, done] = [FIRST, 0]; done < RUNS; seed++, done += IN_A_WORLD) {
    try {
      await new Runs(seed).run(IN_A_WORLD)
    } catch (error) {
      throw new Error(
        `seed ${String(seed)} (again: MERGANSER_PROOF_SEED=${String(seed)} npx vitest run test/proof/commands)`,
        {
          cause: error,
        },
      )
    }
  }
  const { user, system } = process.cpuUsage(before)
  record({
    name: 'model-based commands with crash and restart',
    invariants: ['I2', 'I4', 'I6', 'I12', 'I13'],
    runs: RUNS,
    failures: 0,
    firstSeed: FIRST,
    injected: counts,
    figures: { 'CPU seconds': Math.round((user + system) / 1e6) },
  })
}, 3_600_000)
