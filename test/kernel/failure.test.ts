import { afterAll, describe, expect, test, vi } from 'vitest'
import { MerganserError } from '../../src/core/errors.ts'
import { RowInput } from '../../src/core/state.ts'
import { keyBytes } from '../../src/core/table.ts'
import { openSession } from '../../src/engine/session.ts'
import { Kernel } from '../../src/kernel/kernel.ts'
import { BLOCK_ADDRESS, ROW_HEADER, TAG, TAG_BLOCK } from '../../src/kernel/layout.ts'
import type { KernelState } from '../../src/kernel/kernel-state.ts'
import { WebAssembly } from '../../src/kernel/webassembly.ts'
import { Directories, execute, run, setupOf, Told, type Options } from '../engine/support.ts'
import { keyNumber, TABLES } from './differential/tables.ts'
import { newKernel } from './subjects.ts'

/** A program with `init` and `growthCount`, which give 1, and `trap`, which traps. */
const TRAPPING = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x0c, 0x02, 0x60, 0x04, 0x7f, 0x7f, 0x7f, 0x7f, 0x01, 0x7f, 0x60, 0x00, 0x00],
  ...[0x03, 0x03, 0x02, 0x00, 0x01],
  ...[0x07, 0x1d, 0x03, 0x04, ...Buffer.from('init'), 0x00, 0x00, 0x04, ...Buffer.from('trap'), 0x00, 0x01],
  ...[0x0b, ...Buffer.from('growthCount'), 0x00, 0x00],
  ...[0x0a, 0x0a, 0x02, 0x04, 0x00, 0x41, 0x01, 0x0b, 0x03, 0x00, 0x00, 0x0b],
])

const directories = new Directories()
afterAll(() => directories.remove())

/** Makes nonsense of the first value of rows of a replica: a block beyond the memory's end. */
function spoil({ kernel }: KernelState, replica: number, keys: readonly Uint8Array[]): void {
  const { call } = kernel
  for (const key of keys) {
    kernel.bytes.set(key, call['inputKey']!() >>> 0)
    const row = call['findInput']!(0, key.length)
    expect(row).not.toBe(-1)
    const cell = (call['recordAt']!(replica, row) >>> 0) + ROW_HEADER
    kernel.view.setUint8(cell + TAG, TAG_BLOCK)
    kernel.view.setUint32(cell + BLOCK_ADDRESS, 0xffff_fff0, true)
  }
}

function thrown(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  return undefined
}

describe('a kernel that breaks', () => {
  test('a trap becomes KERNEL_FAILED, and every later call throws the same', () => {
    const { call } = new Kernel(new WebAssembly.Module(TRAPPING))
    expect(call['init']!(0, 0, 0, 0)).toBe(1)
    const error = thrown(() => call['trap']!())
    expect(error).toMatchObject({ code: 'KERNEL_FAILED', exitStatus: 4 })
    expect(thrown(() => call['init']!(0, 0, 0, 0))).toBe(error)
    expect(thrown(() => call['trap']!())).toBe(error)
  })

  test.each([true, false])('a spoilt memory ends every call with one error (shared %s)', (shared) => {
    const state = newKernel({ shared })
    const input = new RowInput()
    const stamp = { time: 1n, origin: 'A' }
    input.setKey(keyNumber(0, 0).bytes)
    input.addCell(0, 'x')
    const table = state.addTable(TABLES[0]!)
    for (const name of ['A', 'B']) state.addReplica(name)
    state.set(0, table, input, stamp)
    spoil(state, 0, [keyNumber(0, 0).bytes])
    const error = thrown(() => state.set(0, table, input, { ...stamp, time: 2n }))
    expect(error).toMatchObject({ code: 'KERNEL_FAILED' })
    for (const call of [
      () => state.get(0, table, input),
      () => state.remove(0, table, input, stamp),
      () => state.merge(1, 0, 0, { rows: 1, bytes: 1 }, 0),
      () => state.undo(0, () => stamp),
      () => state.rollback(() => stamp),
      () => state.changes(0, 0, { rows: 1, bytes: 1 }),
      () => state.digest(0, table),
      () => state.records(0),
    ]) {
      expect(thrown(call)).toBe(error)
    }
  })

  test('I4: a session whose kernel breaks ends with KERNEL_FAILED; the next has everything acknowledged', async () => {
    const directory = await directories.make()
    let state: KernelState | undefined
    const options: Options = {
      makeState: (limits) => (state = newKernel(limits)),
    }
    const told = new Told()
    const session = await openSession(await setupOf(directory, told, options))
    const keys = Array.from({ length: 100 }, (_, i) => `(s${String(i)}, c)`)
    await execute(session, keys.map((key) => `A.SET(${key}, 1)\n`).join('') + 'B.MERGE(A)\nA.GET((s1, c)) = 1\n')
    // Shown, so everything before it is on disk.
    await vi.waitFor(() => {
      expect(told.lines).toHaveLength(1)
    })
    spoil(
      state!,
      0,
      keys.map((_, i) => keyBytes(session.context.catalog.tables[0]!, [`s${String(i)}`, 'c'])),
    )
    const error: unknown = await execute(session, 'A.SET((s1, c), 2)\nA.GET((s1, c))\n').catch((one: unknown) => one)
    expect(error).toBeInstanceOf(MerganserError)
    expect(error).toMatchObject({ code: 'KERNEL_FAILED', exitStatus: 4 })
    await session.close().catch(() => undefined)

    const again = await run(
      directory,
      ['A', 'B'].flatMap((name) => keys.map((key) => `${name}.GET(${key})\n`)).join(''),
      {
        makeState: (limits) => newKernel(limits),
      },
    )
    expect(again.error).toBeUndefined()
    expect(again.lines.filter((line) => line.endsWith(' = 1'))).toHaveLength(200)
  })
})
