import { expect, test } from 'vitest'
import { batchOf, keysOf } from '../../src/core/batch.ts'
import { MerganserError } from '../../src/core/errors.ts'
import { hooked, ONE } from '../engine/support.ts'
import { laneTo } from '../support/lane.ts'
import { memoryConnector } from '../testkit/memory-connector.ts'

function signal(): { given: Promise<void>; give: () => void } {
  let give = (): void => undefined
  const given = new Promise<void>((resolve) => (give = resolve))
  return { given, give }
}

test('a read that runs when a write loses the connection is repeated on the next one, as the write is', async () => {
  const [reached, closing] = [signal(), signal()]
  const fails = { readRows: true, writeRows: true }
  const connector = hooked(memoryConnector(), async (_, call) => {
    if (call === 'close') closing.give()
    if (call !== 'readRows' && call !== 'writeRows') return
    if (!fails[call]) return
    fails[call] = false
    if (call === 'readRows') {
      reached.give()
      // As every store has it: what runs when it is closed ends with this.
      await closing.given
      throw new MerganserError('STORE_CLOSED', 'the database of R was closed')
    }
    await reached.given
    throw new MerganserError('CONNECTION_LOST', 'the connection was lost')
  })
  const { lane, messages } = laneTo(connector, {}, [ONE])
  const row = { key: ['a'], cells: [{ value: 'v', stamp: '2026-11-22 15:11:21Z@R' }], deleted: null }
  const writing = lane.writeRows(ONE, batchOf(ONE, [row]))
  const reading = lane.readRows(ONE, keysOf(ONE, [['a']]))
  expect(await writing).toMatchObject({ written: 1 })
  expect((await reading).rows).toBeLessThanOrEqual(1)
  expect(messages).toEqual(['the connection was lost; trying again'])
  await lane.close()
})
