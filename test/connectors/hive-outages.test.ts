import { watch } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { batchOf } from '../../src/core/batch.ts'
import type { HiveConnection } from '../../src/connectors/hive/client/connection.ts'
import { startOwnHive, type OwnHive } from '../support/own-hive.ts'
import { describeOn } from '../support/servers.ts'
import { openStore, proxyTo, rowsOf, scanned, sessionOn, SLOW, textRows, textTable } from './hive-support.ts'

const WAIT = { timeout: 60_000, interval: 100 }

/** One server, killed only at the end: it takes long to start. */
describeOn(['hive'], 'Hive, when something goes wrong', () => {
  let own: OwnHive
  let root: string
  const quick = (url: string): string => `${url}&connectSeconds=5&answerSeconds=4&cancelSeconds=1`

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'merganser-hive-outages-'))
    own = await startOwnHive({
      settings: {
        'hive.txn.timeout': '6s',
        'metastore.acid.housekeeper.interval': '1s',
        'hive.lock.sleep.between.retries': '200ms',
        'hive.compactor.initiator.on': 'false',
      },
    })
  })
  afterAll(async () => {
    await own.close()
    await rm(root, { recursive: true, force: true })
  })

  it('a wrong host or port ends within the time limit, and names the replica and what to do', async () => {
    for (const url of ['hive://127.0.0.1:1/default', 'hive://no-such-host.invalid/default']) {
      await expect(openStore({ url: `${url}?connectSeconds=2` })).rejects.toMatchObject({
        code: 'DATABASE_UNREACHABLE',
        place: { replica: 'HIVE' },
        advice: expect.stringMatching(/host and port/) as string,
      })
    }
  })

  it('rows that a constraint of the table refuses are rejected one by one, and the rest is written', async () => {
    const table = textTable('checked')
    const session = await sessionOn(own.url)
    await session.execute(
      'CREATE TABLE checked (k string, v string CHECK (length(v) < 9) ENABLE NOVALIDATE RELY, v_stamp string, deleted_stamp string) ' +
        "STORED AS ORC TBLPROPERTIES ('transactional' = 'true')",
    )
    await session.close()
    const store = await openStore({ url: own.url })
    await store.ensureTable(table)
    const rows = textRows(4, (i) => (i === 2 ? 'much too long' : 'fine'), 1)
    const { rejected, ...counts } = await store.writeRows(table, batchOf(table, rows))
    expect(counts).toEqual({ written: 3, stale: 0, foreign: [] })
    expect(rejected).toEqual([{ row: 2, reason: expect.stringMatching(/constraint/) as string }])
    expect(rejected[0]!.reason).not.toContain('too long')
    expect(await scanned(store, table)).toEqual(rows.filter((_, i) => i !== 2))
    await store.close()
  })

  it('what a write has in the directory of a table while it runs no reader meets, also if the server is killed', async () => {
    const table = textTable('undisturbed')
    const store = await openStore({ url: own.url })
    await store.ensureTable(table)
    const directory = join(own.directory, 'warehouse', table.name)
    const names = new Set<string>()
    const watcher = watch(directory, (_, name) => names.add(name!))
    try {
      await store.writeRows(
        table,
        batchOf(
          table,
          textRows(2, () => 'a', 1),
        ),
      )
      await store.writeRows(
        table,
        batchOf(
          table,
          textRows(3, () => 'b', 2),
        ),
      )
      await expect.poll(() => [...names].filter((name) => name.startsWith('delete_delta_')), WAIT).not.toEqual([])
    } finally {
      watcher.close()
      await store.close()
    }
    expect([...names].filter((name) => !/^(?:[._]|(?:delete_)?delta_\d+_\d+)/.test(name))).toEqual([])
  })

  it('a table that holds what a killed statement left is tried again, and it is said what to take away', async () => {
    const table = textTable('littered')
    const store = await openStore({ url: own.url })
    await store.ensureTable(table)
    const rows = textRows(2, () => 'a', 1)
    await store.writeRows(table, batchOf(table, rows))
    const left = join(own.directory, 'warehouse', table.name, '-tmp.delete_delta_0000002_0000002_0000')
    await mkdir(left)
    await writeFile(join(left, '000000_0.manifest'), 'a manifest is no ORC file')
    await expect(scanned(store, table)).rejects.toMatchObject({
      code: 'BACK_OFF',
      place: { replica: 'HIVE' },
      advice: expect.stringContaining('-tmp.') as string,
    })
    await rm(left, { recursive: true })
    expect(await scanned(store, table)).toEqual(rows)
    await store.close()
  })

  it('compaction is asked for after as many flushes as the option says', async () => {
    const table = textTable('compacted')
    const store = await openStore({ url: own.url, compactAfter: 2 })
    await store.ensureTable(table)
    const session = await sessionOn(own.url)
    const asked = async () => (await rowsOf(session, 'SHOW COMPACTIONS')).filter((row) => row.includes('compacted'))
    await store.writeRows(
      table,
      batchOf(
        table,
        textRows(1, () => 'a', 1),
      ),
    )
    expect(await asked()).toEqual([])
    await store.writeRows(
      table,
      batchOf(
        table,
        textRows(1, () => 'b', 2),
      ),
    )
    expect((await asked()).length).toBe(1)
    await session.close()
    await store.close()
  })

  it('a lost connection in a statement or a scan is CONNECTION_LOST, and nothing is half done', async () => {
    const table = textTable('cut')
    const proxy = await proxyTo(own.url)
    const rows = textRows(5_100, (i) => `value ${String(i)}`, 1)
    const store = await openStore({ url: proxy.url })
    await store.ensureTable(table)
    await store.writeRows(table, batchOf(table, rows))
    let seen = 0
    const scanning = (async () => {
      for await (const batch of store.scanRows(table)) {
        if (seen === 0) proxy.cut()
        seen += batch.rows
      }
    })()
    await expect(scanning).rejects.toMatchObject({ code: 'CONNECTION_LOST', place: { replica: 'HIVE' } })
    await store.close()

    let writing = false
    const progress = (): void => {
      if (writing) proxy.cut()
    }
    const again = await openStore({ url: proxy.url }, { progress })
    const newer = textRows(5_100, (i) => `newer ${String(i)}`, 2)
    writing = true
    const outcome = expect(again.writeRows(table, batchOf(table, newer))).rejects.toMatchObject({
      code: 'CONNECTION_LOST',
    })
    await outcome
    await again.close()
    await proxy.close()

    const third = await openStore({ url: own.url })
    const { written, stale } = await third.writeRows(table, batchOf(table, newer))
    expect(written + stale).toBe(5_100)
    expect(await scanned(third, table)).toEqual(newer)
    await third.close()
  })

  it('a signal ends a statement while it is compiled, and a server that is silent holds nobody up', async () => {
    const session = await sessionOn(quick(own.url))
    const stop = new AbortController()
    const reason = new Error('enough')
    const compiling = session.execute(
      `SELECT ${Array.from({ length: 3_000 }, (_, i) => `${String(i)} + x`).join()} FROM t`,
      {
        signal: stop.signal,
      },
    )
    stop.abort(reason)
    await expect(compiling).rejects.toBe(reason)
    expect(session.lost).toBe(true)

    const other = await sessionOn(quick(own.url))
    const halt = new AbortController()
    const running = other.execute(SLOW, {
      signal: halt.signal,
      progress: () => {
        own.pause()
        halt.abort(reason)
      },
    })
    const started = performance.now()
    await expect(running).rejects.toBe(reason)
    expect(performance.now() - started).toBeLessThan(60_000)
    expect(other.lost).toBe(true)
    const silent = sessionOn(quick(own.url).replace('connectSeconds=5', 'connectSeconds=1'))
    await expect(silent).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' })
    own.resume()
  })

  it('the lock of another MERGE is waited for, and it is told who holds it', async () => {
    const table = textTable('locked')
    const told: string[] = []
    const holding: HiveConnection[] = []
    const progress = (message: string): void => {
      if (!message.includes('locked by')) return
      told.push(message)
      // The server gives up what a connection that ends was at.
      for (const session of holding.splice(0)) session.destroy()
    }
    const store = await openStore({ url: own.url }, { progress })
    await store.ensureTable(table)
    await store.writeRows(
      table,
      batchOf(
        table,
        textRows(3, () => 'old', 1),
      ),
    )
    holding.push(await holdLock(own, 'locked'))
    const newer = textRows(3, () => 'new', 2)
    expect((await store.writeRows(table, batchOf(table, newer))).written).toBe(3)
    expect(await scanned(store, table)).toEqual(newer)
    await store.close()
    expect(told[0]).toMatch(
      /table locked in Hive is locked by transaction \d+ of \S+ on \S+: waiting for \d+ s; .*ABORT TRANSACTIONS \d+/,
    )
  })

  it('a lock that is held too long ends the wait at the time limit, with its holder named', async () => {
    const table = textTable('held')
    const store = await openStore({ url: own.url })
    await store.ensureTable(table)
    await store.writeRows(
      table,
      batchOf(
        table,
        textRows(3, () => 'old', 1),
      ),
    )
    await store.close()
    const holder = await holdLock(own, 'held')
    const limited = await openStore({ url: own.url, statementSeconds: 8 })
    const waiting = limited.writeRows(
      table,
      batchOf(
        table,
        textRows(3, () => 'new', 2),
      ),
    )
    await expect(waiting).rejects.toMatchObject({
      code: 'BACK_OFF',
      message: expect.stringMatching(/stayed locked by transaction \d+/) as string,
      advice: expect.stringMatching(/ABORT TRANSACTIONS/) as string,
    })
    holder.destroy()
    await limited.close()
  })

  it(
    'a server that is killed in a flush and started again loses nothing; what it left locked is waited for',
    { timeout: 300_000 },
    async () => {
      const table = textTable('killed')
      const options = { url: quick(own.url), stagingDirectory: root }
      const store = await openStore(options)
      await store.ensureTable(table)
      const rows = textRows(1_100, () => 'first', 1)
      expect((await store.writeRows(table, batchOf(table, rows))).written).toBe(1_100)
      // Another MERGE dies with the server; its transaction stays open, and ours waits for it.
      await holdLock(own, 'killed')
      const newer = textRows(1_100, () => 'second', 2)
      const writing = store.writeRows(table, batchOf(table, newer))
      const outcome = expect(writing).rejects.toMatchObject({ code: 'CONNECTION_LOST', place: { replica: 'HIVE' } })
      await expect.poll(() => locksOf(own, 'killed'), WAIT).toContain('WAITING')
      await own.kill()
      await outcome
      await store.close()
      await expect(openStore(options)).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' })
      // What the flush left on our disk is gone.
      expect(await readdir(root)).toEqual([])
      await own.start()
      const told: string[] = []
      const again = await openStore({ ...options, url: own.url }, { progress: (message) => told.push(message) })
      const { written, stale, rejected } = await again.writeRows(table, batchOf(table, newer))
      expect({ all: written + stale, rejected }).toEqual({ all: 1_100, rejected: [] })
      expect(await scanned(again, table)).toEqual(newer)
      await again.close()
      const session = await sessionOn(own.url)
      const left = await rowsOf(session, 'SHOW TABLES')
      await session.close()
      expect(left.map(String).filter((name) => name.startsWith('merganser_stage'))).toEqual([])
    },
  )
})

const source = `(SELECT 'none' AS k, cast(x.n AS string) AS v FROM (${SLOW}) x) s`

/** States of the locks of a table: ACQUIRED, WAITING. */
async function locksOf(own: OwnHive, table: string): Promise<string[]> {
  const session = await sessionOn(own.url)
  try {
    const rows = await rowsOf(session, 'SHOW LOCKS DATABASE default')
    return rows.flatMap((row) => (row[2] === table && row[6] === 'EXCL_WRITE' ? [String(row[4])] : []))
  } finally {
    await session.close()
  }
}

/** Begins a long MERGE of a table; when this resolves, it holds the lock. */
async function holdLock(own: OwnHive, table: string): Promise<HiveConnection> {
  const session = await sessionOn(own.url)
  const merge = `MERGE INTO ${table} t USING ${source} ON t.k = s.k WHEN MATCHED THEN UPDATE SET v = s.v`
  session.execute(merge).catch(() => undefined)
  await expect.poll(() => locksOf(own, table), WAIT).toContain('ACQUIRED')
  return session
}
