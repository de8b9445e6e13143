import { setImmediate } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import type { BatchBounds } from '../../src/connectors/connector.ts'
import { finish } from '../../src/engine/finish.ts'
import type { Report } from '../../src/engine/report.ts'
import { openSession, type Session } from '../../src/engine/session.ts'
import { Directories, DOCUMENTS, execute, ONE, setupOf, stored, Told, type Hook } from './support.ts'

const directories = new Directories()
afterAll(() => directories.remove())

const BYTES = 1024 * 1024
const sets = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `A.SET(k${String(from + i)}, v)\n`).join('')

/** A session over one database that likes batches of this size. */
async function session(
  batch: BatchBounds,
  work: (session: Session) => Promise<void>,
  hook: Hook = () => undefined,
): Promise<{ readonly report: Report; readonly keys: number }> {
  const directory = await directories.make()
  const setup = await setupOf(directory, new Told(), { replicas: { A: DOCUMENTS }, tables: [ONE], hook })
  const [replica] = setup.replicas
  const { connector } = replica!
  const bounded = { ...connector, capabilities: { ...connector.capabilities, batch } }
  const opened = await openSession({ ...setup, replicas: [{ ...replica!, connector: bounded }] })
  try {
    await work(opened)
    const report = await finish(opened, () => 0)
    return { report, keys: Object.keys(await stored(directory, 'A', DOCUMENTS, ONE)).length }
  } finally {
    await opened.close()
  }
}

const batchesOf = ({ report }: { readonly report: Report }): number | undefined => report.replicas[0]?.batches

test('I11: a write has no more rows and bytes than its connector likes', async () => {
  const work = (one: Session) => execute(one, sets(0, 35))
  const few = await session({ rows: 10, bytes: BYTES }, work)
  expect([batchesOf(few), few.keys]).toEqual([4, 35])
  const many = await session({ rows: 35, bytes: BYTES }, work)
  expect([batchesOf(many), many.keys]).toEqual([1, 35])
  const short = await session({ rows: 35, bytes: 1 }, work)
  expect([batchesOf(short), short.keys]).toEqual([35, 35])
})

test('a batch that has room left grows while the one before it is being written', async () => {
  let entered = (): void => undefined
  const writing = new Promise<void>((resolve) => (entered = resolve))
  let release = (): void => undefined
  const held = new Promise<void>((resolve) => (release = resolve))
  const hook: Hook = (_, call) => {
    if (call !== 'writeRows') return undefined
    entered()
    return held
  }
  const work = async (one: Session) => {
    await execute(one, sets(0, 12))
    one.context.replicas[0]!.flusher.schedule()
    await writing
    // The next two rows are gathered now; five more come before it is their turn.
    for (let turn = 0; turn < 5; turn++) await setImmediate()
    await execute(one, sets(12, 17))
    release()
  }
  const flushed = await session({ rows: 10, bytes: BYTES }, work, hook)
  expect([batchesOf(flushed), flushed.keys]).toEqual([2, 17])
})
