import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MerganserError } from '../../src/core/errors.ts'
import { RowInput } from '../../src/core/state.ts'
import { keyBytes } from '../../src/core/table.ts'
import type { FastBytes } from '../../src/core/fast-path.ts'
import { ByteBuffer } from '../../src/script/byte-buffer.ts'
import { LogLines } from '../../src/script/log-lines.ts'
import { CATALOG, contentsOf, linesOf, NOW, Pair, sumsOf, TABLES, type PairOptions } from './fast-pair.ts'
import { commonScripts } from './scan-lines.ts'

const SEED = 20261125

/** SETs and GETs with values of a length, the first of them longer by `more`. */
function longLines(count: number, length: number, more: number): Buffer {
  const lines = Array.from({ length: count }, (_, i) => {
    const value = 'v'.repeat(length + (i === 0 ? more : 0))
    return i % 3 === 2 ? `HIVE.GET(k${String(i - 1)},c)\n` : `HIVE.SET((k${String(i)},c), ${value})\n`
  })
  return Buffer.from(lines.join(''))
}

function sameLogs({ model, kernel }: Pair): void {
  for (const [replica, log] of model.logs.entries()) {
    expect(kernel.logs[replica]!.view().equals(log.view())).toBe(true)
  }
  expect(kernel.results.view().equals(model.results.view())).toBe(true)
}

describe('logs', () => {
  test('a full log stops the block before a line, whatever is left of the chunk', () => {
    let full = 0
    for (let more = 0; more < 130; more += 3) {
      const pair = new Pair({ build: 'debug', logBytes: 1 })
      pair.run(longLines(150, 1000, more))
      sameLogs(pair)
      full += pair.stops.filter((stop) => stop === 'logFull').length
    }
    expect(full).toBeGreaterThan(40)
  })

  test.each([{}, { shared: false }] as const)('any script under a small budget logs the same (%o)', (build) => {
    fc.assert(
      fc.property(commonScripts, fc.constantFrom(1, 65536, 200_000), (script, logBytes) => {
        const pair = new Pair({ ...build, build: 'debug', logBytes })
        for (let i = 0; i < 8; i++) pair.run(script)
        sameLogs(pair)
      }),
      { seed: SEED, numRuns: 20 },
    )
  })

  test('what was taken stands until it is released, and only then is there room again', () => {
    const pair = new Pair({ logBytes: 4 * 65536, keepsResults: false })
    const held: { part: FastBytes; copy: Buffer }[] = []
    const block = Buffer.from(`HIVE.SET((k,c), ${'v'.repeat(900)})\n`.repeat(60))
    pair.fast.input(0).set(block)
    let executed = 0
    for (;;) {
      const { stop, at } = pair.once(0, block.length)
      for (let part = pair.fast.takeLog(0); part !== undefined; part = pair.fast.takeLog(0)) {
        held.push({ part, copy: Buffer.from(part.bytes) })
      }
      if (stop === 'logFull') {
        executed += at
        break
      }
      expect(stop).toBe('end')
      executed += at
    }
    expect(executed).toBeGreaterThan(150_000)
    expect(held.every(({ part, copy }) => copy.equals(part.bytes))).toBe(true)
    expect(pair.once(0, block.length)).toMatchObject({ stop: 'logFull', at: 0, lines: 0 })
    for (const { part } of held) part.release()
    expect(pair.once(0, block.length).stop).toBe('end')
  })

  test('each replica gets a chunk though another one holds an empty one', () => {
    const pair = new Pair({ logBytes: 1 })
    for (const name of ['HIVE', 'MONGODB', 'SQL', 'HIVE', 'SQL', 'MONGODB']) {
      pair.run(Buffer.from(`${name}.SET((a,b), c)\n`))
    }
    sameLogs(pair)
    expect(pair.stops).toEqual(['end', 'end', 'end', 'end', 'end', 'end'])
  })

  test('full results stop the block, and nothing is shown twice', () => {
    const pair = new Pair({ logBytes: 1e9 })
    const value = 'w'.repeat(30_000)
    const gets = Buffer.from('HIVE.GET(k,c)\n'.repeat(700))
    pair.run(Buffer.from(`HIVE.SET((k,c), ${value})\n`))
    pair.run(gets)
    expect(pair.stops).toContain('resultsFull')
    sameLogs(pair)
  })

  test('without readers nothing is written, and records are counted', () => {
    const pair = new Pair({ keepsLines: false, keepsResults: false })
    pair.run(longLines(100, 50, 0))
    expect(pair.fast.logged(0)).toBe(0)
    expect(pair.fast.takeResults()).toBeUndefined()
    expect(pair.kernel.state.records(0)).toBe(100)
    expect(pair.told.records).toEqual([100, 0, 0])
    expect(contentsOf(pair.kernel.state)).toEqual(contentsOf(pair.model.state))
  })

  test('a line that is longer than a chunk gets one of its own', () => {
    const pair = new Pair()
    const input = new RowInput()
    for (const [i, text] of ['\u0001'.repeat(500_000), 'x'.repeat(520_000), 'ü'.repeat(200_000), ''].entries()) {
      input.setKey(keyBytes(TABLES[0]!, [String(i), '\0'.repeat(300)]))
      input.clear()
      input.addCell(0, text)
      for (const { state } of [pair.model, pair.kernel]) {
        state.set(1, 0, input, { time: NOW + BigInt(i), origin: 'POSTGRESQL' })
        state.records(1)
      }
    }
    const bounds = { rows: 1e9, bytes: 1e9 }
    const expected = new ByteBuffer()
    const lines = new LogLines(CATALOG)
    for (const part of pair.model.state.merge(0, 1, 0, bounds, 0).took) lines.rows(expected, 0, part)
    for (let position = 0, done = false; !done;) {
      const merged = pair.kernel.state.merge(0, 1, position, bounds, 0)
      pair.take()
      ;({ position, done } = merged)
    }
    expect(pair.kernel.logs[0]!.view().equals(expected.view())).toBe(true)
  })
})

/** Executes a script in the kernel as far as it goes, then as much of it in the model: both are the same. */
function stopsWell(pair: Pair, script: Buffer): { readonly stop: string; readonly lines: number } {
  const { stop, at } = pair.kernelAlone(script)
  const done = linesOf(script.subarray(0, at))
  for (const line of done) pair.model.line(line)
  expect(pair.told.lines).toBe(done.length)
  sameLogs(pair)
  expect(sumsOf(pair.kernel.state, 0)).toEqual(sumsOf(pair.model.state, 0))
  return { stop, lines: pair.told.lines }
}

/** Fills the kernel's memory with rows of another replica, up to some pages or until it is full; gives its pages. */
function fill({ kernel: { state } }: Pair, upTo: number): number {
  const input = new RowInput()
  const pages = () => state.memoryBytes() / 65536
  for (let i = 0; pages() < upTo; i++) {
    input.setKey(keyBytes(TABLES[0]!, ['filler', String(i)]))
    input.clear()
    input.addCell(0, 'f'.repeat(60_000))
    try {
      state.set(2, 0, input, { time: BigInt(i), origin: 'MONGODB' })
    } catch (error) {
      if (!(error instanceof MerganserError) || error.code !== 'MEMORY_LIMIT') throw error
      break
    }
  }
  return pages()
}

describe('limits', () => {
  test('full memory stops the block before a line, and what came before is whole', () => {
    const script = Buffer.concat([longLines(90, 60, 0), longLines(400, 9000, 0)])
    const options: PairOptions = { build: 'debug', maximumPages: 512, logBytes: 1 }
    const most = fill(new Pair(options), Infinity)
    const stops: string[] = []
    for (let pages = most - 75; pages <= most; pages += 4) {
      for (const keepsLines of [true, false]) {
        const pair = new Pair({ ...options, keepsLines })
        fill(pair, pages)
        stops.push(stopsWell(pair, script).stop)
      }
    }
    expect(stops.filter((stop) => stop === 'memory').length).toBeGreaterThan(10)
    expect(stops).toContain('end')
  })

  test('no more rows are added than may be', () => {
    const script = longLines(90, 20, 0)
    for (let rows = 0; rows < 40; rows++) {
      const { stop, lines } = stopsWell(new Pair({ rows }), script)
      expect(stop).toBe('rows')
      expect(lines).toBe(Math.floor(rows / 2) * 3 + (rows % 2))
    }
    expect(stopsWell(new Pair({ rows: 60 }), script).stop).toBe('end')
  })
})
