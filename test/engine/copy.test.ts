import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkCopy, copyTable, pendingRecords, type CopyResult, type CopyWork } from '../../src/engine/copy.ts'
import { openSession } from '../../src/engine/session.ts'
import { decodePositions } from '../../src/engine/positions.ts'
import { readPositions } from '../../src/oplog/positions.ts'
import { NodeDisk } from '../../src/environment/node-disk.ts'
import { parseTime, timeText } from '../../src/core/stamp.ts'
import type { TableSchema } from '../../src/core/table.ts'
import { parseType } from '../../src/core/types.ts'
import { compileAll } from './compiled.ts'
import {
  Directories,
  DOCUMENTS,
  ONE,
  PAIRS,
  POSTGRES,
  run,
  setupOf,
  stored,
  Told,
  WAREHOUSE,
  type Options,
} from './support.ts'

const directories = new Directories()
let compiled: string | undefined
afterAll(async () => {
  await directories.remove()
  if (compiled !== undefined) await rm(compiled, { recursive: true, force: true })
})

/** Copies the first table of `from` into `to`, in a session of its own. */
async function copy(
  directory: string,
  from: readonly [string, string],
  to: readonly [string, string],
  options: Options & Partial<CopyWork> = {},
): Promise<CopyResult & { readonly told: Told }> {
  const told = new Told()
  const setup = await setupOf(directory, told, { ...options, replicas: { [to[0]]: to[1] } })
  const source = (await setupOf(directory, told, { replicas: { [from[0]]: from[1] } })).replicas[0]!
  const session = await openSession(setup)
  try {
    const result = await copyTable(session, {
      from: source,
      table: 0,
      restart: options.restart ?? false,
      signal: options.signal ?? new AbortController().signal,
      progress: options.progress ?? (() => undefined),
      ...(options.batchRows === undefined ? {} : { batchRows: options.batchRows }),
    })
    return { ...result, told }
  } finally {
    await session.close()
  }
}

const A = ['A', DOCUMENTS] as const
const B = ['B', DOCUMENTS] as const
const ONLY_A = { replicas: { A: DOCUMENTS }, tables: [ONE] }
const BOTH = { replicas: { A: DOCUMENTS, B: DOCUMENTS }, tables: [ONE] }
const AHEAD = () => timeText(BigInt(Date.now() + 20 * 3_600_000) * 1_000_000n)

/** A directory in which A's database holds what a script wrote, and nothing else knows of it. */
async function onlyDatabase(script: string, tables: readonly TableSchema[] = [ONE]): Promise<string> {
  const [made, target] = [await directories.make(), await directories.make()]
  await run(made, script, { replicas: { A: DOCUMENTS }, tables })
  await mkdir(join(target, 'databases'), { recursive: true })
  await cp(join(made, 'databases', 'a'), join(target, 'databases', 'a'), { recursive: true })
  return target
}

test('I2: copies rows with their stamps, deleted ones too, between databases of different kinds', async () => {
  const directory = await directories.make()
  const replicas = { A: DOCUMENTS, W: WAREHOUSE, P: POSTGRES }
  const lines = Array.from(
    { length: 2500 },
    (_, i) => `A.SET(k${String(i)},{a: x${String(i % 7)}${i % 3 > 0 ? ', b: y' : ''}})`,
  )
  await run(directory, `${lines.join('\n')}\nA.DELETE(k7)\nA.DELETE(none)`, {
    replicas: { A: DOCUMENTS },
    tables: [PAIRS],
  })
  const first = await stored(directory, 'A', DOCUMENTS, PAIRS, true)
  expect(Object.keys(first)).toHaveLength(2501)
  const options = { tables: [PAIRS], batchRows: 700 }
  expect(await copy(directory, A, ['W', WAREHOUSE], options)).toMatchObject({
    rows: 2501,
    written: 2501,
    rejected: 0,
    whole: true,
  })
  expect(await copy(directory, ['W', WAREHOUSE], ['P', POSTGRES], options)).toMatchObject({ rows: 2501, written: 2501 })
  expect(await stored(directory, 'W', WAREHOUSE, PAIRS, true)).toEqual(first)
  expect(await stored(directory, 'P', POSTGRES, PAIRS, true)).toEqual(first)
  // Twice is the same as once.
  expect(await copy(directory, A, ['W', WAREHOUSE], options)).toMatchObject({ rows: 2501, resumed: 0, written: 0 })
  expect((await run(directory, 'FULL_SYNC', { replicas, tables: [PAIRS] })).report).toMatchObject({ converged: true })
})

test('I14: a session after a copy finds the copied rows, though no log has them', async () => {
  const directory = await onlyDatabase('A.SET(k,old)\nA.SET(l,old)\nA.SET(m,old)')
  expect(await copy(directory, A, B, { tables: [ONE] })).toMatchObject({ rows: 3, written: 3 })
  const { lines } = await run(
    directory,
    'B.GET(k)\nB.SET(k,new)\nB.GET(k)\nB.UNDO\nB.GET(k)\nB.DELETE(l)\nB.UNDO\nB.GET(l)',
    BOTH,
  )
  expect(lines).toEqual(['B.GET((k)) = old', 'B.GET((k)) = new', 'B.GET((k)) = old', 'B.GET((l)) = old'])
  expect(await stored(directory, 'B', DOCUMENTS, ONE)).toEqual({ k: 'old', l: 'old', m: 'old' })
})

test('I5: a merge brings nothing older over copied rows, which are ahead of every log', async () => {
  const directory = await onlyDatabase(`${AHEAD()}, A.SET(k,ahead)\n${AHEAD()}, A.SET(l,ahead)`)
  await copy(directory, A, B, { tables: [ONE] })
  const replicas = { B: DOCUMENTS, C: DOCUMENTS }
  const script =
    '2026-01-01 00:00:00.000000001Z, C.SET(k,behind)\nB.MERGE(C)\nB.GET(k)\nB.UNDO\nB.GET(k)\nB.SET(l,new)\nB.GET(l)'
  const { lines } = await run(directory, script, { replicas, tables: [ONE] })
  expect(lines).toEqual(['B.GET((k)) = ahead', 'B.GET((k)) = ahead', 'B.GET((l)) = new'])
  expect(await stored(directory, 'B', DOCUMENTS, ONE)).toEqual({ k: 'ahead', l: 'new' })
})

test('I3: the high water is above copied stamps before the first of them is written', async () => {
  const ahead = AHEAD()
  const directory = await onlyDatabase(`${ahead}, A.SET(k,ahead)`)
  const seen: bigint[] = []
  const hook: NonNullable<Options['hook']> = async (_, call) => {
    if (call !== 'writeRows') return
    const path = join(directory, 'positions')
    const positions = decodePositions((await readPositions(new NodeDisk(), path))!, path)
    seen.push(positions.get('B')!.highWater)
    throw new Error('the power went')
  }
  await expect(copy(directory, A, B, { tables: [ONE], hook })).rejects.toThrow('the power went')
  expect(seen).toHaveLength(1)
  expect(seen[0]! >= parseTime(ahead)!).toBe(true)
})

test('goes on behind what was durable, and begins anew where that is gone', async () => {
  const directory = await directories.make()
  await run(directory, Array.from({ length: 3000 }, (_, i) => `A.SET(k${String(i)},v)`).join('\n'), ONLY_A)
  const stop = new AbortController()
  const progress = (rows: number) => {
    if (rows >= 1000) stop.abort()
  }
  const options = { tables: [ONE], batchRows: 500 }
  const first = await copy(directory, A, B, { ...options, signal: stop.signal, progress })
  expect(first.whole).toBe(false)
  expect(first.rows).toBeLessThan(3000)
  const second = await copy(directory, A, B, options)
  expect(second).toMatchObject({ rows: 3000, resumed: first.rows, written: 3000, whole: true })
  expect(Object.keys(await stored(directory, 'B', DOCUMENTS, ONE))).toHaveLength(3000)
  expect(await readdir(join(directory, 'copies'))).toEqual([])
  // An interrupted copy into a database that was lost since.
  const again = new AbortController()
  await copy(directory, A, B, {
    ...options,
    signal: again.signal,
    progress: () => {
      again.abort()
    },
  })
  await rm(join(directory, 'databases', 'b'), { recursive: true })
  const anew = await copy(directory, A, B, options)
  expect(anew).toMatchObject({ rows: 3000, resumed: 0, written: 3000 })
  expect(anew.told.messages.join()).toContain('begins anew')
  // --restart asks nobody.
  const third = new AbortController()
  await copy(directory, A, B, {
    ...options,
    signal: third.signal,
    progress: () => {
      third.abort()
    },
  })
  expect(await copy(directory, A, B, { ...options, restart: true })).toMatchObject({
    rows: 3000,
    resumed: 0,
    written: 0,
  })
})

test('passes over progress that is damaged or of another table, and refuses that of a newer version', async () => {
  const directory = await directories.make()
  await run(directory, 'A.SET(k,v)', ONLY_A)
  await mkdir(join(directory, 'copies'))
  const path = join(directory, 'copies', 'a-b.one.json')
  for (const text of [
    '',
    '{',
    '{"format":1}',
    '{"format":1,"log":"x","shape":"y","last":["k"],"probe":null,"rows":1,"written":1,"rejected":0,"foreign":0,"rejectBytes":0}',
  ]) {
    await writeFile(path, text)
    expect(await copy(directory, A, B, { tables: [ONE] }), text).toMatchObject({ rows: 1, resumed: 0 })
  }
  await writeFile(path, '{"format":2}')
  await expect(copy(directory, A, B, { tables: [ONE] })).rejects.toMatchObject({ code: 'STATE_FORMAT' })
  expect(await copy(directory, A, B, { tables: [ONE], restart: true })).toMatchObject({ rows: 1 })
})

test('I8: rows that the target cannot hold are listed with their reason, once, the rest goes on', async () => {
  const table: TableSchema = { ...ONE, values: [{ name: 'v', type: parseType('timestamp')! }] }
  const directory = await directories.make()
  // The warehouse holds no nanoseconds of such years; the documents hold any.
  const lines = [
    'A.SET(a,"2026-01-01T00:00:00.123456789Z")',
    'A.SET(b,"0001-01-01T00:00:00.123456789Z")',
    'A.SET(c,"2026-01-02T00:00:00Z")',
  ]
  await run(directory, lines.join('\n'), { replicas: { A: DOCUMENTS }, tables: [table] })
  const options = { tables: [table], batchRows: 1 }
  const results = [
    await copy(directory, A, ['P', POSTGRES], options),
    await copy(directory, A, ['P', POSTGRES], options),
  ]
  for (const result of results) {
    expect(result).toMatchObject({ rows: 3, whole: true })
    const rejects = (await readFile(result.rejects, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(rejects).toHaveLength(result.rejected)
    expect(result.rejected).toBeGreaterThan(0)
    expect(rejects[0]).toMatchObject({
      table: 'one',
      key: { k: expect.any(String) as string },
      reason: expect.any(String) as string,
    })
  }
})

test('I15: values that changed under their stamp stay as they are in the target, and are counted', async () => {
  const stamp = '2026-01-01 00:00:00.000000001Z'
  const directory = await directories.make()
  await run(directory, `${stamp}@X, A.SET(k,one)\n${stamp}@X, B.SET(k,two)`, BOTH)
  expect(await copy(directory, A, B, { tables: [ONE] })).toMatchObject({ rows: 1, written: 0, foreign: 1 })
  expect(await stored(directory, 'B', DOCUMENTS, ONE)).toEqual({ k: 'two' })
})

test('says how much of a log is not in its database yet', async () => {
  const directory = await directories.make()
  await run(directory, 'A.SET(k,v)\nA.SET(l,v)', { ...ONLY_A, flush: false })
  const setup = await setupOf(directory, new Told(), ONLY_A)
  expect(await pendingRecords(setup, 'A')).toBe(2)
  await run(directory, '', ONLY_A)
  expect(await pendingRecords(setup, 'A')).toBe(0)
  expect(await pendingRecords(setup, 'Z')).toBe(0)
})

test('copies an empty or missing table as nothing, and no replica into itself', async () => {
  const directory = await directories.make()
  expect(await copy(directory, A, B, { tables: [ONE] })).toMatchObject({ rows: 0, written: 0, whole: true })
  expect(() => {
    checkCopy('A', 'A')
  }).toThrow(/not copied into itself/)
})

const RUNNER = `
import { openSession } from './src/engine/session.ts'
import { copyTable } from './src/engine/copy.ts'
import { sessionSetup, configuredConnector } from './src/index.ts'
import { defaultConfig } from './src/config/config.ts'
const { state, to, table, batchRows } = JSON.parse(process.argv[2])
const named = (name, type) => ({ name, type, options: {}, hidden: [] })
const config = { ...defaultConfig(state), state, tables: [table], replicas: [named('B', to)], aliases: {} }
const events = { message: (text) => process.stderr.write(text + '\\n'), expectationFailed() {}, problem() {} }
const session = await openSession(await sessionSetup(config, { events }))
const from = await configuredConnector(named('A', 'embedded-documents'))
const signal = new AbortController().signal
process.stdout.write('open\\n')
const result = await copyTable(session, { from, table: 0, restart: false, signal, batchRows, progress: (rows) => process.stdout.write(rows + '\\n') })
await session.close()
process.stdout.write(JSON.stringify(result) + '\\n')
`
beforeAll(async () => {
  compiled = await compileAll({ 'copier.ts': RUNNER })
})

test.each([[DOCUMENTS], [WAREHOUSE]])(
  'I4: after kill -9 at any moment a copy into %s goes on and ends equal',
  async (to) => {
    const rows = 6000
    const directory = await onlyDatabase(
      Array.from({ length: rows }, (_, i) => `A.SET(k${String(i)},v${String(i)})`).join('\n'),
    )
    const start = () =>
      spawn(process.execPath, [
        join(compiled!, 'copier.js'),
        JSON.stringify({ state: directory, to, table: ONE, batchRows: 200 }),
      ])
    let resumed = 0
    for (const outputs of [1, 2, 4, 9, 3]) {
      const child = start()
      const ended = once(child, 'exit')
      let out = ''
      const opened = new Promise<void>((resolve) =>
        child.stdout.on('data', (bytes: Buffer) => {
          out += bytes.toString()
          if (out.split('\n').length > outputs) resolve()
        }),
      )
      await Promise.race([opened, ended])
      child.kill('SIGKILL')
      await ended
      const { lines } = await run(directory, 'B.GET(k0)\nB.GET(gone)', { replicas: { B: to }, tables: [ONE] })
      expect(lines[1]).toBe('B.GET((gone)) = none')
      const last = out.trim().split('\n').at(-1)!
      if (/^\d+$/.test(last)) resumed = Math.max(resumed, Number(last))
      if (resumed > 0) expect(lines[0]).toBe('B.GET((k0)) = v0')
    }
    const result = await copy(directory, A, ['B', to], { tables: [ONE] })
    expect(result).toMatchObject({ rows, whole: true })
    expect(result.resumed).toBeGreaterThanOrEqual(resumed === rows ? 0 : resumed)
    expect(await stored(directory, 'B', to, ONE, true)).toEqual(await stored(directory, 'A', DOCUMENTS, ONE, true))
  },
)
