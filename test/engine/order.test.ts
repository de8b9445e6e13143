import fc from 'fast-check'
import { afterAll, expect, test, vi } from 'vitest'
import { finish } from '../../src/engine/finish.ts'
import { openSession } from '../../src/engine/session.ts'
import {
  Directories,
  DOCUMENTS,
  execute,
  log,
  ONE,
  PAIRS,
  run,
  setupOf,
  stored,
  Told,
  WAREHOUSE,
  withoutTimes,
  type Hook,
} from './support.ts'

const directories = new Directories()
afterAll(() => directories.remove())

const SEED = 20_261_122
const MIXED = { A: DOCUMENTS, B: WAREHOUSE, C: DOCUMENTS }

/** Pseudo-random numbers below 1 (mulberry32). */
function random(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** Stores that answer late, each call by another time. */
function slowed(seed: number, milliseconds: number): Hook {
  const next = random(seed)
  return (_, call) => {
    if (call !== 'readRows' && call !== 'writeRows') return undefined
    const wait = next() * milliseconds
    return new Promise((resolve) => setTimeout(resolve, wait))
  }
}

/** A script over few keys, so that reads, writes and merges meet. */
function script(seed: number, lines: number): string {
  const next = random(seed)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)]!
  const replica = () => pick(['A', 'B', 'C'])
  return Array.from({ length: lines }, (_, i) => {
    const r = replica()
    const key = `k${String(Math.floor(next() * 30))}`
    const roll = next()
    if (roll < 0.3) return `${r}.SET(${key}, {${pick(['a', 'b'])}: v${String(i)}})`
    if (roll < 0.7) return `${r}.GET(${key})`
    if (roll < 0.75) return `${r}.DELETE(${key})`
    if (roll < 0.8) return `${r}.one.SET(${key}, w${String(i)})`
    if (roll < 0.85) return `${r}.one.GET(${key})`
    if (roll < 0.9) return `${r}.MERGE(${pick(['A', 'B', 'C'].filter((other) => other !== r))})`
    return pick([`${r}.UNDO`, 'UNDO', `${r}.SYNC`, 'COMMIT', 'ROLLBACK', 'FULL_SYNC', `${r}.GET(${key})`])
  }).join('\n')
}

test.each([1, 2, 3])(
  'I13: the same script gives the same at 1 and at 50 workers, whatever the speeds of the databases (script %i)',
  async (n) => {
    const [prelude, body] = [script(n, 150), `${script(n + 100, 300)}\nFULL_SYNC`]
    const results = []
    for (const [workers, hook] of [
      [50, undefined],
      [1, slowed(n, 6)],
      [50, slowed(n + 1, 12)],
    ] as const) {
      const directory = await directories.make()
      const options = { replicas: MIXED, tables: [PAIRS, ONE], workers, ...(hook === undefined ? {} : { hook }) }
      const before = await run(directory, prelude, { ...options, chunk: 100 })
      const { lines, report } = await run(directory, body, { ...options, chunk: 1000 })
      const counts = ({ name, merged, digests, records, pending }: (typeof report.replicas)[number]) => {
        const rows = Object.values(digests!).map((digest) => digest.rows)
        return { name, merged, rows, records, pending }
      }
      results.push({
        before: before.lines,
        lines,
        replicas: report.replicas.map(counts),
        statements: report.statements,
        conflicts: report.conflicts,
        converged: report.converged,
        logs: await Promise.all(['A', 'B', 'C'].map(async (name) => withoutTimes(await log(directory, name)))),
        rows: await Promise.all(
          Object.entries(MIXED).map(async ([name, type]) => [
            await stored(directory, name, type, PAIRS),
            await stored(directory, name, type, ONE),
          ]),
        ),
      })
    }
    expect(results[0]!.converged).toBe(true)
    expect(results[1]).toEqual(results[0])
    expect(results[2]).toEqual(results[0])
  },
)

test('I13: answers come in the order of the script, however late each of them is', async () => {
  const directory = await directories.make()
  const sets = Array.from({ length: 300 }, (_, i) => `A.SET((k,${String(i)}),x${String(i)})`).join('\n')
  await run(directory, `${sets}\nFULL_SYNC`)
  const script = Array.from({ length: 300 }, (_, i) => `${'CAB'[i % 3]!}.GET(k,${String((i * 7) % 300)})`)
  const late = new Map([
    ['A', 30],
    ['B', 0],
    ['C', 15],
  ])
  const hook: Hook = (replica, call) =>
    call === 'readRows' ? new Promise((resolve) => setTimeout(resolve, late.get(replica))) : undefined
  const { lines } = await run(directory, `${script.join('\n')}\nEXIT\nA.GET(k,1)`, { hook, chunk: 500 })
  expect(lines).toEqual(
    script.map((line, i) => `${line.replace('(', '((')}) = x${String((i * 7) % 300)}`.replace('))) =', ')) =')),
  )
})

test('I13: a GET shows its replica as it was then, although later writes are flushed before it is answered', async () => {
  const directory = await directories.make()
  await run(directory, 'A.SET((k,1),old)\nB.SET((k,2),theirs)\nA.SYNC')
  let release: (() => void) | undefined
  const held = new Promise<void>((resolve) => (release = resolve))
  const order: string[] = []
  const hook: Hook = async (replica, call) => {
    if (replica !== 'A' || (call !== 'readRows' && call !== 'writeRows')) return
    order.push(call)
    if (call === 'readRows') await held
  }
  const told = new Told()
  const session = await openSession(await setupOf(directory, told, { hook }))
  await execute(session, 'A.GET(k,1)\nA.GET(k,2)\nA.SET((k,1),new)')
  const rest = execute(session, 'A.MERGE(B)\nA.SYNC\nA.GET(k,1)\nA.GET(k,2)')
  for (let i = 0; i < 100; i++) await session.context.yield()
  release!()
  await rest
  await finish(session, () => 0)
  await session.close()
  expect(told.lines).toEqual([
    'A.GET((k,1)) = old',
    'A.GET((k,2)) = none',
    'A.GET((k,1)) = new',
    'A.GET((k,2)) = theirs',
  ])
  expect(order.indexOf('writeRows')).toBeGreaterThan(order.lastIndexOf('readRows', order.indexOf('writeRows')))
  expect(withoutTimes(await log(directory, 'A')).slice(1)).toEqual([
    ', A.GET((k,1)) = old',
    ', A.GET((k,2)) = none',
    ', A.SET((k,1), new)',
    '@B, A.SET((k,2), theirs)',
    ', A.GET((k,1)) = new',
    ', A.GET((k,2)) = theirs',
  ])
})

test('an oplog run as a script into an empty state gives the same rows, stamps and digest, over several segments', async () => {
  const directory = await directories.make()
  const options = { tables: [PAIRS, ONE] }
  const small = { ...options, segmentBytes: 4000 }
  for (const n of [11, 12, 13]) await run(directory, script(n, 250), small)
  const last = await run(directory, `${script(14, 250)}\nFULL_SYNC`, small)
  expect(last.report.converged).toBe(true)
  for (const name of ['A', 'B', 'C']) {
    const lines = await log(directory, name)
    const segments = (await log(directory, name, true)).filter((line) => line.startsWith('# merganser oplog'))
    expect(segments.length).toBeGreaterThan(3)
    const copy = await directories.make()
    const { report, error } = await run(copy, lines.join('\n'), options)
    expect(error).toBeUndefined()
    expect(report.expectations).toBeGreaterThan(20)
    expect(report.expectationsFailed).toBe(0)
    for (const table of [PAIRS, ONE]) {
      expect(await stored(copy, name, undefined, table, true)).toEqual(
        await stored(directory, name, undefined, table, true),
      )
    }
    // The same log again changes nothing.
    await run(copy, lines.join('\n'), options)
    expect(await stored(copy, name, undefined, PAIRS, true)).toEqual(
      await stored(directory, name, undefined, PAIRS, true),
    )
    expect((await log(copy, name)).slice(0, lines.length)).toEqual(lines)
  }
})

test('an oplog of one session, replayed, gives the digest that the session ended with', async () => {
  const directory = await directories.make()
  const options = { tables: [PAIRS, ONE], segmentBytes: 4000 }
  const { report } = await run(directory, `${script(21, 400)}\nB.DELETE(k1)\nA.SET(k2, {a: last})`, options)
  expect(new Set(report.replicas.map(({ digests }) => digests!['t']!.hash)).size).toBeGreaterThan(1)
  for (const [id, name] of ['A', 'B', 'C'].entries()) {
    const replayed = await run(await directories.make(), (await log(directory, name)).join('\n'), options)
    expect(replayed.report.expectationsFailed).toBe(0)
    expect(replayed.report.replicas[id]!.digests).toEqual(report.replicas[id]!.digests)
  }
})

test('scripts in pieces of any size are the same script', async () => {
  const text = script(42, 60)
  const options = { tables: [PAIRS, ONE], dryRun: true }
  const whole = await run('/nonexistent/merganser', text, options)
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 400 }), async (chunk) => {
      expect((await run('/nonexistent/merganser', text, { ...options, chunk })).lines).toEqual(whole.lines)
    }),
    { seed: SEED, numRuns: 15 },
  )
})

test('I13: a result is shown once it is durable, though what follows waits for a database that does not answer', async () => {
  const directory = await directories.make()
  await run(directory, 'B.SET((k,1),theirs)\nB.SYNC')
  let release: (() => void) | undefined
  const held = new Promise<void>((resolve) => (release = resolve))
  const hook: Hook = (replica, call) => (replica === 'B' && call === 'readRows' ? held : undefined)
  const told = new Told()
  const session = await openSession(await setupOf(directory, told, { hook }))
  // What is older than the database may hold is looked up first.
  const old = '2020-01-01 00:00:00.000000001Z@A, A.SET((k,1),mine)'
  const running = execute(session, `${old}\nA.GET(k,1)\nB.GET(k,1)\nB.MERGE(A)`)
  await vi.waitFor(
    () => {
      expect(told.lines).toEqual(['A.GET((k,1)) = mine'])
    },
    { timeout: 60_000 },
  )
  release!()
  await running
  await finish(session, () => 0)
  await session.close()
  expect(told.lines).toEqual(['A.GET((k,1)) = mine', 'B.GET((k,1)) = theirs'])
})
