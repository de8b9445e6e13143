import { expect, it } from 'vitest'
import type { HiveConfig } from '../../src/connectors/hive/client/config.ts'
import { connect } from '../../src/connectors/hive/client/connect.ts'
import type { HiveConnection } from '../../src/connectors/hive/client/connection.ts'
import { checkSettings } from '../../src/connectors/hive/client/settings.ts'
import { parseHiveUrl } from '../../src/connectors/hive/url.ts'
import { describeOn } from '../support/servers.ts'
import { proxyTo, rowsOf, sessionOn, SLOW } from './hive-support.ts'

describeOn(['hive'], 'the client of HiveServer2', (url) => {
  const config = parseHiveUrl(url)

  async function using(change: Partial<HiveConfig>, body: (connection: HiveConnection) => Promise<void>) {
    const connection = await connect({ ...config, ...change })
    try {
      await body(connection)
    } finally {
      await connection.close()
    }
  }

  it('reads 64-bit integers, nulls and nasty strings exactly', async () => {
    const settings = { 'hive.variable.substitute': 'false', 'hive.fetch.task.conversion': 'more' }
    await using({ settings }, async (connection) => {
      expect(connection.version).toMatch(/^\d+\.\d+/)
      const query =
        "select 9223372036854775807L + 0L, -9223372036854775807L - 1L, cast(null as bigint), 'a\\n\\r\\0\\'\\\\é😀', '', " +
        "cast(null as string), true, 1.5D, unhex('00ff')"
      expect(await rowsOf(connection, query)).toEqual([
        [2n ** 63n - 1n, -(2n ** 63n), null, "a\n\r\0'\\é😀", '', null, true, 1.5, Buffer.from([0, 255])],
      ])
      expect(await checkSettings(connection, settings)).toEqual([])
      const others = await checkSettings(connection, { 'hive.variable.substitute': 'true' })
      expect(others).toEqual([{ name: 'hive.variable.substitute', expected: 'true', found: 'false' }])
    })
  })

  it('says what is wrong without the text of the statement, and goes on', async () => {
    await using({}, async (connection) => {
      const missing = connection.execute("select 'hunter2' from merganser_no_such_table")
      await expect(missing).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH' })
      await expect(connection.execute('hunter2')).rejects.toMatchObject({ code: 'DATABASE_REFUSED' })
      await missing.catch((error: unknown) => {
        expect(String(error)).not.toContain('hunter2')
      })
      expect(await rowsOf(connection, 'select 1')).toEqual([[1]])
    })
  })

  it('ends a statement on a signal and at its time limit, within the time for a cancel', async () => {
    await using({}, async (connection) => {
      const reason = new Error('enough')
      await expect(connection.execute(SLOW, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
      const stop = new AbortController()
      const progress = () => {
        stop.abort(reason)
      }
      await expect(connection.execute(SLOW, { signal: stop.signal, progress })).rejects.toBe(reason)
      // A server that doesn't answer the cancel in time is cut off.
      if (!connection.lost) expect(await rowsOf(connection, 'select 1')).toEqual([[1]])
    })
    await using({ statementMilliseconds: 1_000 }, async (connection) => {
      await expect(connection.execute(SLOW)).rejects.toMatchObject({ code: 'TIME_LIMIT' })
    })
  })

  it('fails what runs when the connection is cut, and stays lost', async () => {
    const proxy = await proxyTo(url)
    const connection = await sessionOn(proxy.url)
    const running = connection.execute(SLOW, {
      progress: () => {
        proxy.cut()
      },
    })
    await expect(running).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    expect(connection.lost).toBe(true)
    await expect(connection.execute('select 1')).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    await connection.close()
    await proxy.close()
  })
})
