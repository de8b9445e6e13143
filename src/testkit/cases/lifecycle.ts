import { strict as assert } from 'node:assert'
import { keysOf } from '../../core/batch.ts'
import type { Case } from '../case.ts'
import { codeOf, OWNER, read, rejectsWith, row, scan, stamp, tombstone, write, writeAll, type World } from '../world.ts'

const OTHER = { logId: 'kit-log-2', name: 'another owner' }

const meta: readonly Case[] = [
  {
    name: 'options are plain data, validated, and mean the same when they are validated again',
    async run(world) {
      const { options } = await world.site()
      assert.deepEqual(structuredClone(options), options)
      assert.deepEqual(world.connector.options(options), options)
      await rejectsWith(
        Promise.resolve().then(() => world.connector.options({ ...options, 'no such option': 1 })),
        'BAD_CONFIG',
      )
    },
  },
  {
    name: 'I9: a new database knows no log; it is in use by its owner until an orderly end, and keeps position and high water',
    timeLimit: 120_000,
    async run(world) {
      const site = await world.freshSite()
      const absent = () => world.connector.absent?.(site.options, site.directory)
      if (world.connector.absent !== undefined) assert.equal(await absent(), true)
      const first = await world.open(site)
      assert.equal(first.meta, undefined)
      assert.equal(await first.greatestStamp([]), '')
      const at = { highWater: stamp(5), position: 2 ** 40 + 1 }
      await first.writeMeta({ inUse: true, ...at })
      await first.close()
      if (world.connector.absent !== undefined) assert.equal(await absent(), false)

      const second = await world.open(site)
      assert.deepEqual(second.meta, { logId: OWNER.logId, inUse: true, ...at }, 'after an end without order')
      await second.writeMeta({ inUse: false, highWater: stamp(6), position: 7 })
      await second.close()
      const third = await world.open(site)
      assert.deepEqual(third.meta, { logId: OWNER.logId, inUse: false, highWater: stamp(6), position: 7 })
      await third.close()
      const fourth = await world.open(site, 'write', OTHER)
      assert.deepEqual(fourth.meta, { logId: OWNER.logId, inUse: true, highWater: stamp(6), position: 7 })
      await fourth.close()
      const fifth = await world.open(site, 'read')
      assert.deepEqual(
        { logId: fifth.meta?.logId, inUse: fifth.meta?.inUse, position: fifth.meta?.position },
        { logId: OTHER.logId, inUse: true, position: 0 },
        'another log has written nothing yet',
      )
      await fifth.close()
    },
  },
]

const access: readonly Case[] = [
  {
    name: 'I9: a second owner is refused with DATABASE_LOCKED while the first one has it open, and can open it after',
    timeLimit: 120_000,
    async run(world) {
      await world.store()
      const site = await world.site()
      for (const owner of [OTHER, OWNER]) {
        await rejectsWith(world.open(site, 'write', owner), 'DATABASE_LOCKED')
      }
      const { store, table } = await world.ensured({ k: 'string' }, { v: 'string' })
      await writeAll(store, table, [row('a', ['the first goes on'], stamp(1))])
      await world.closeStore()
      const second = await world.open(site, 'write', OTHER)
      assert.equal(second.meta?.logId, OWNER.logId)
      assert.deepEqual(await scan(second, table), [row('a', ['the first goes on'], stamp(1))])
      await second.close()
      assert.deepEqual(await scan(await world.store(), table), [row('a', ['the first goes on'], stamp(1))])
    },
  },
  {
    name: 'for reading, a database that is not there is empty and is not created; what is there is read without a lock',
    timeLimit: 120_000,
    async run(world) {
      const nowhere = await world.freshSite()
      const table = world.table({ k: 'string' }, { v: 'string' })
      const empty = await world.open(nowhere, 'read')
      assert.equal(empty.meta, undefined)
      assert.deepEqual(await read(empty, table, [['a']]), [undefined])
      assert.deepEqual(await scan(empty, table), [])
      assert.equal(await empty.greatestStamp([table]), '')
      await assert.rejects(write(empty, table, [row('a', ['a'], stamp(1))]), 'it takes no writes')
      await empty.close()
      if (world.connector.absent !== undefined) {
        assert.equal(await world.connector.absent(nowhere.options, nowhere.directory), true)
      }

      const store = await world.store()
      await store.ensureTable(table)
      await writeAll(store, table, [row('a', ['a'], stamp(1))])
      if (!world.capabilities.sharedReads) await world.closeStore()
      const reader = await world.open(await world.site(), 'read')
      assert.equal(reader.meta?.logId, OWNER.logId)
      assert.deepEqual(await scan(reader, table), [row('a', ['a'], stamp(1))])
      await assert.rejects(write(reader, table, [row('b', ['b'], stamp(1))]), 'it takes no writes')
      if (world.capabilities.sharedReads) {
        await writeAll(await world.store(), table, [row('a', ['newer'], stamp(2))])
        assert.deepEqual(await read(reader, table, [['a']]), [row('a', ['newer'], stamp(2))])
      }
      await reader.close()
      assert.equal((await read(await world.store(), table, [['a']])).length, 1)
    },
  },
]

const closing: readonly Case[] = [
  {
    name: 'what was written is there when it is opened again, several times',
    timeLimit: 120_000,
    async run(world) {
      const { table } = await world.ensured({ k: 'string' }, { v: 'string' })
      const expected = []
      for (let time = 0; time < world.times(4, 2); time++) {
        const store = await world.reopened()
        const rows = [row(`k${String(time)}`, ['v'], stamp(time)), tombstone(table, `t${String(time)}`, stamp(time))]
        await writeAll(store, table, rows)
        expected.push(...rows)
      }
      const store = await world.reopened()
      const sorted = expected.sort((a, b) => (a.key[0]! < b.key[0]! ? -1 : 1))
      assert.deepEqual(await scan(store, table), sorted)
    },
  },
  {
    name: 'a closed store answers STORE_CLOSED, and closing it again is nothing',
    async run(world) {
      const { store, table } = await world.ensured({ k: 'string' }, { v: 'string' })
      await world.closeStore()
      await store.close()
      await rejectsWith(write(store, table, [row('a', ['a'], stamp(1))]), 'STORE_CLOSED')
      await rejectsWith(store.readRows(table, keysOf(table, [['a']])), 'STORE_CLOSED')
      await rejectsWith(scan(store, table), 'STORE_CLOSED')
      await rejectsWith(store.ensureTable(table), 'STORE_CLOSED')
      await rejectsWith(store.greatestStamp([table]), 'STORE_CLOSED')
      await rejectsWith(store.writeMeta({ inUse: false, highWater: '', position: 0 }), 'STORE_CLOSED')
    },
  },
  {
    name: 'a store closed in the middle of a call: the call succeeds or fails with a code, and the rows are whole',
    timeLimit: 180_000,
    async run(world) {
      for (const turns of [0, 20, 1, 3].slice(0, world.times(4, 2))) await closedInTheMiddle(world, turns)
    },
  },
  {
    name: 'a scan whose store is closed fails with a code',
    async run(world) {
      const { store, table } = await world.ensured({ k: 'int64' }, { v: 'string' })
      const rows = Array.from({ length: 8_000 }, (_, i) => row(String(i), ['v'.repeat(300)], stamp(1)))
      await writeAll(store, table, rows)
      let seen = 0
      const scanning = async () => {
        for await (const batch of store.scanRows(table)) {
          if (seen === 0) await world.closeStore()
          seen += batch.rows
        }
        throw new Error(seen === rows.length ? 'all in one batch' : 'it ended as if that were all')
      }
      const outcome = await scanning().catch((error: unknown) => codeOf(error))
      assert.ok(['STORE_CLOSED', 'CONNECTION_LOST', 'Error: all in one batch'].includes(outcome), outcome)
    },
  },
]

async function closedInTheMiddle(world: World, turns: number): Promise<void> {
  const { store, table } = await world.ensured({ k: 'int64' }, { v: 'string', w: 'string' })
  const size = Math.min(5_000, world.conformance.rows ?? 5_000)
  const rows = (n: number) =>
    Array.from({ length: size }, (_, i) => row(String(i), [`v${String(n)}`, `w${String(n)}`], stamp(n)))
  await writeAll(store, table, rows(1))
  const calls = [write(store, table, rows(2)), scan(store, table), write(store, table, rows(3))]
  const outcomes = calls.map((call) =>
    call.then(
      () => 'done',
      (error: unknown) => codeOf(error),
    ),
  )
  for (let turn = 0; turn < turns; turn++) await Promise.resolve()
  await world.closeStore()
  const ended = await Promise.all(outcomes)
  for (const outcome of ended) assert.ok(['done', 'STORE_CLOSED', 'CONNECTION_LOST'].includes(outcome), outcome)

  const again = await world.store()
  const least = ended[2] === 'done' ? 3 : ended[0] === 'done' ? 2 : 1
  const found = await scan(again, table)
  assert.equal(found.length, size)
  for (const one of found) {
    const n = Number(one.cells[0]!.value!.slice(1))
    assert.ok(n >= least, `a write that was acknowledged is gone: ${String(n)} after ${String(least)}`)
    assert.deepEqual(one, row(one.key, [`v${String(n)}`, `w${String(n)}`], stamp(n)), 'a row is whole')
  }
  await write(again, table, rows(3))
  assert.deepEqual(await scan(again, table), rows(3))
}

export const lifecycleCases: readonly Case[] = [...meta, ...access, ...closing]
