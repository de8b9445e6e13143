import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { MerganserError } from '../../src/core/errors.ts'
import { NodeDisk } from '../../src/environment/node-disk.ts'
import { finish } from '../../src/engine/finish.ts'
import type { Report } from '../../src/engine/report.ts'
import { openSession } from '../../src/engine/session.ts'
import { Oracle, type Change } from './oracle.ts'
import { Directories, execute, PAIRS, setupOf, storedCells, Told, type Hook } from './support.ts'

const directories = new Directories()
afterAll(() => directories.remove())

const SEED = 3_141_592
/** How long scripts are made for; at least a few are run however busy the machine is. */
const MILLISECONDS = 25_000
const LEAST = 10
const NAMES = ['A', 'B', 'C']

type Op =
  | {
      readonly op: 'set'
      readonly replica: number
      readonly key: string
      readonly cells: Readonly<Record<string, string | null>>
    }
  | { readonly op: 'delete' | 'get'; readonly replica: number; readonly key: string }
  | { readonly op: 'merge'; readonly replica: number; readonly other: number }
  | { readonly op: 'undo'; readonly replica: number | undefined }
  | { readonly op: 'fullSync' | 'commit' | 'rollback' | 'sync' }

const replica = fc.nat(2)
const key = fc.constantFrom('k1', 'k2', 'k3', 'k4', 'k5')
const value = fc.oneof(
  fc.stringMatching(/^[a-c]$/),
  fc.constantFrom('', ' x', '"', '\\N', 'none', 'é\u{1F600}', '#'),
  fc.constant(null),
)
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('set' as const),
      replica,
      key,
      cells: fc.oneof(fc.record({ a: value }), fc.record({ b: value }), fc.record({ a: value, b: value })),
    }),
  },
  { weight: 6, arbitrary: fc.record({ op: fc.constant('get' as const), replica, key }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('delete' as const), replica, key }) },
  {
    weight: 3,
    arbitrary: fc
      .record({ op: fc.constant('merge' as const), replica, step: fc.integer({ min: 1, max: 2 }) })
      .map(({ op, replica, step }) => ({ op, replica, other: (replica + step) % 3 })),
  },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('undo' as const), replica: fc.option(replica, { nil: undefined }) }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constantFrom('fullSync', 'commit', 'rollback', 'sync') }) },
)

/** Sessions one after the other; a killed one ends in the middle of its flushes. */
const sessions = fc.array(
  fc.record({ ops: fc.array(op, { maxLength: 25 }), killed: fc.boolean(), chunk: fc.integer({ min: 20, max: 2000 }) }),
  { minLength: 1, maxLength: 5 },
)

function item(text: string | null): string {
  return text === null ? '\\N' : JSON.stringify(text)
}

function line(op: Op): string {
  switch (op.op) {
    case 'set':
      return `${NAMES[op.replica]!}.SET(${op.key}, {${Object.entries(op.cells)
        .map(([column, text]) => `${column}: ${item(text)}`)
        .join(', ')}})`
    case 'delete':
      return `${NAMES[op.replica]!}.DELETE(${op.key})`
    case 'get':
      return `${NAMES[op.replica]!}.GET(${op.key})`
    case 'merge':
      return `${NAMES[op.replica]!}.MERGE(${NAMES[op.other]!})`
    case 'undo':
      return op.replica === undefined ? 'UNDO' : `${NAMES[op.replica]!}.UNDO`
    case 'fullSync':
      return 'FULL_SYNC'
    default:
      return op.op.toUpperCase()
  }
}

/** What the operations should print, and what they do to the oracle. */
function expected(
  oracle: Oracle,
  ops: readonly Op[],
): { replica: string; key: string; cells: readonly (string | null)[] | undefined }[] {
  const answers = []
  for (const op of ops) {
    if (op.op === 'get') {
      answers.push({ replica: NAMES[op.replica]!, key: op.key, cells: oracle.get(op.replica, op.key) })
    } else oracle.execute(op as Change)
  }
  return answers
}

function parsed(text: string): ReturnType<typeof expected>[number] {
  const [, replica, key, shown] = /^([ABC])\.GET\(\((k\d)\)\) = (.*)$/.exec(text)!
  if (shown === 'none') return { replica: replica!, key: key!, cells: undefined }
  const [, a, b] = /^\{a: (.*), b: (.*)\}$/.exec(shown!)!
  const cell = (item: string) => (item === '\\N' ? null : item.startsWith('"') ? (JSON.parse(item) as string) : item)
  return { replica: replica!, key: key!, cells: [cell(a!), cell(b!)] }
}

interface Life {
  readonly told: Told
  readonly report: Report | undefined
}

/** One session; killed: once everything is acknowledged, nothing more reaches disk or databases. */
async function live(directory: string, script: string, killed: boolean, chunk: number): Promise<Life> {
  const told = new Told()
  let dead = false
  const gone = () => Promise.reject(new MerganserError('DATABASE_REFUSED', 'dead'))
  const hook: Hook = (_, call) => (dead && call !== 'close' ? gone() : undefined)
  const disk = new Proxy(new NodeDisk(), {
    get: (target, name: keyof NodeDisk) => (dead && name === 'replaceFile' ? gone : target[name].bind(target)),
  })
  const session = await openSession(await setupOf(directory, told, { tables: [PAIRS], hook, environment: { disk } }))
  let report
  try {
    await execute(session, script, { chunk })
    if (killed) {
      await session.engine.durable()
      dead = true
    } else report = await finish(session, () => 0)
  } finally {
    await session.close().catch((error: unknown) => {
      if (!killed) throw error
    })
  }
  return { told, report }
}

test('random scripts over restarts and kills print, store and agree on what a plain oracle says', async () => {
  const stop = performance.now() + MILLISECONDS
  let runs = 0
  await fc.assert(
    fc.asyncProperty(sessions, async (lives) => {
      if (runs >= LEAST && performance.now() > stop) return
      runs++
      const directory = await directories.make()
      const oracle = new Oracle(3)
      for (const { ops, killed, chunk } of lives) {
        oracle.open()
        const { told } = await live(directory, ops.map(line).join('\n'), killed, chunk)
        expect(told.lines.map(parsed)).toEqual(expected(oracle, ops))
      }
      oracle.open()
      const { report } = await live(directory, 'FULL_SYNC', false, 100)
      oracle.execute({ op: 'fullSync' })
      expect(report).toMatchObject({ converged: true, exitStatus: 0 })
      for (const [id, name] of NAMES.entries()) {
        const rows = await storedCells(directory, name, PAIRS)
        for (const [key, cells] of oracle.rows(id)) expect(rows.get(key) ?? undefined).toEqual(cells)
      }
      await directories.remove()
    }),
    { seed: SEED, numRuns: 1000, interruptAfterTimeLimit: MILLISECONDS * 2, markInterruptAsFailure: false },
  )
  expect(runs).toBeGreaterThanOrEqual(LEAST)
})
