import { afterAll, beforeAll, expect, it } from 'vitest'
import { batchOf } from '../../src/core/batch.ts'
import { DEFAULT_TABLE } from '../../src/core/table.ts'
import { Session } from '../../src/connectors/postgres/session.ts'
import { FaultProxy } from '../proof/support/fault-proxy.ts'
import { describeOn } from '../support/servers.ts'
import { createDatabase, open, row, type Database } from './postgres-support.ts'

describeOn(['postgres'], 'PostgreSQL behind a network that loses connections', (server) => {
  let database: Database
  let proxy: FaultProxy
  let url: string

  beforeAll(async () => {
    database = await createDatabase(server)
    const { hostname, port } = new URL(server)
    proxy = await FaultProxy.start({ host: hostname, port: Number(port || 5432) }, () => false)
    url = database.with((changed) => (changed.host = `127.0.0.1:${String(proxy.port)}`))
  })
  afterAll(async () => {
    await proxy.close()
    await database.drop()
  })

  it('I9: what a session left when its connection was lost keeps others out, and not that session', async () => {
    const owner = (session: string) => ({ owner: { logId: 'log', name: `session ${session}`, session } })
    const first = await open({ url }, owner('one'))
    await first.ensureTable(DEFAULT_TABLE)
    await first.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, [row(1)]))
    // The server never hears that it is gone.
    proxy.forget(3_600_000)
    const closed = first.close()
    await expect(open({ url }, owner('two'))).rejects.toMatchObject({
      code: 'DATABASE_LOCKED',
      message: expect.stringContaining('session one') as string,
    })
    const began = performance.now()
    const again = await open({ url }, owner('one'))
    expect(performance.now() - began).toBeLessThan(15_000)
    expect(await again.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, [row(1), row(2)]))).toMatchObject({ written: 1 })
    await again.close()
    await closed
  })

  it('the server looks after a while whether we are still there', async () => {
    const { hostname, port, username, password, pathname } = new URL(database.url)
    const session = await Session.connect({
      ...{ host: hostname, port: Number(port || 5432), user: username, password, database: pathname.slice(1) },
      ...{ replica: 'POSTGRESQL', connectMilliseconds: 10_000, statementMilliseconds: 10_000 },
    })
    const values: unknown[] = []
    for (const name of ['tcp_keepalives_idle', 'tcp_keepalives_interval', 'tcp_keepalives_count', 'tcp_user_timeout']) {
      values.push((await session.query(`SELECT current_setting('${name}')`)).rows[0]?.[0])
    }
    expect(values).toEqual(['15', '5', '3', expect.stringMatching(/^30(?:s|000)/)])
    await session.close()
  })
})
