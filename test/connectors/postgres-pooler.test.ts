import { afterAll, beforeAll, expect, it } from 'vitest'
import { postgres } from '../../src/connectors/postgres/connector.ts'
import { batchOf, keysOf } from '../../src/core/batch.ts'
import { DEFAULT_TABLE } from '../../src/core/table.ts'
import { describeOn } from '../support/servers.ts'
import { findPooler, startPooler, type Pooler } from './postgres-pooler.ts'
import { createDatabase, open, row, type Database } from './postgres-support.ts'

// Only where PgBouncer is installed: nobody needs it for anything else.
const program = findPooler()

if (program !== undefined) {
  describeOn(['postgres'], 'PostgreSQL behind PgBouncer', (server) => {
    let database: Database
    const poolers: Pooler[] = []
    const through = async (mode: 'session' | 'transaction'): Promise<string> => {
      const pooler = await startPooler(program, database.url, mode)
      poolers.push(pooler)
      return pooler.url
    }

    beforeAll(async () => {
      database = await createDatabase(server)
    })
    afterAll(async () => {
      for (const pooler of poolers) await pooler.close()
      await database.drop()
    })

    it('that lends connections by the transaction says that it cannot, and what to do', async () => {
      const url = await through('transaction')
      await expect(open({ url })).rejects.toMatchObject({
        code: 'DATABASE_REFUSED',
        message: 'a pooler lends connections by the transaction',
        place: { replica: 'POSTGRESQL' },
        advice: expect.stringContaining('pool_mode to session') as string,
      })
      const found = []
      const context = { access: 'read', directory: '', replica: 'POSTGRESQL' } as const
      for await (const finding of postgres.diagnose!({ url }, context)) found.push(finding)
      expect(found).toContainEqual(expect.objectContaining({ level: 'problem', check: 'pooler' }))
      expect(await database.query("SELECT relname FROM pg_class WHERE relname LIKE 'merganser%'")).toEqual([])
    })

    it('that lends them by the session works', async () => {
      const store = await open({ url: await through('session') })
      try {
        await store.ensureTable(DEFAULT_TABLE)
        await store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, [row(1), row(2)]))
        const read = await store.readRows(DEFAULT_TABLE, keysOf(DEFAULT_TABLE, [row(2).key]))
        expect(read.rows).toBe(1)
      } finally {
        await store.close()
      }
    })
  })
} else {
  it('PgBouncer is not installed: nothing to try', () => {
    expect(program).toBeUndefined()
  })
}
