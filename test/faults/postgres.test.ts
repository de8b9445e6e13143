import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { Workspace } from '../cli/support.ts'
import { createDatabase, run, startProxy } from '../connectors/postgres-support.ts'
import { startOwnPostgres, type OwnPostgres } from '../support/own-postgres.ts'
import { describeOn } from '../support/servers.ts'
import { bearsFaults } from './faults.ts'
import { Product } from './product.ts'
import type { Database, Subject } from './subject.ts'

async function start(): Promise<Subject> {
  const server = await startOwnPostgres()
  return {
    server,
    secrets: [server.password, 'wrong-secret'],
    database: () => databaseOn(server),
  }
}

async function databaseOn(server: OwnPostgres): Promise<Database> {
  const name = `merganser_faults_${randomBytes(6).toString('hex')}`
  await run(server.url, `CREATE DATABASE ${name}`)
  const url = server.urlOf({ database: name })
  const options = { type: 'postgres', url, connectSeconds: 2 }
  const at = (parts: Parameters<OwnPostgres['urlOf']>[0]) => ({
    ...options,
    url: server.urlOf({ database: name, ...parts }),
  })
  const stranger = { name: 'postgres', password: 'wrong-secret' }
  return {
    options,
    impatient: { ...options, connectSeconds: 1, statementSeconds: 1 },
    wrong: {
      port: { options: at({ port: 1 }), codes: ['DATABASE_UNREACHABLE'] },
      host: { options: at({ host: 'nowhere.invalid' }), codes: ['DATABASE_UNREACHABLE'] },
      database: { options: at({ database: 'nothing_there' }), codes: ['DATABASE_REFUSED'] },
      password: { options: at({ user: stranger }), codes: ['DATABASE_REFUSED'] },
      schema: { options: { ...options, schema: 'nothing_there' }, codes: ['DATABASE_REFUSED'] },
    },
    misshape: async () => {
      await run(url, 'CREATE TABLE student_course_grades (student_id int PRIMARY KEY, grade text)')
    },
    change: async (table, [key, value], [column, to]) => {
      await run(url, `UPDATE "${table}" SET "${column}" = '${to}' WHERE "${key}" = '${value}'`)
    },
    refuse: async (refuses) => {
      const change = refuses ? "ADD CONSTRAINT picky CHECK (grade <> 'refused')" : 'DROP CONSTRAINT picky'
      await run(url, `ALTER TABLE student_course_grades ${change}`)
    },
  }
}

describeOn(['postgres'], 'PostgreSQL under faults', (server) => {
  test('I5: a reply that is lost at COMMIT is asked for again on a new connection, and changes nothing twice', async () => {
    const database = await createDatabase(server)
    const { hostname, port } = new URL(server)
    const proxy = await startProxy(hostname, Number(port || 5432))
    try {
      const url = database.with((changed) => {
        changed.host = `127.0.0.1:${String(proxy.port)}`
        changed.searchParams.set('sslmode', 'disable')
      })
      const at = await new Product(await Workspace.create(), []).install({ type: 'postgres', url })
      const { child, ended, shows } = at.start('run', '--report', 'report.json')
      child.stdin.write('REAL.SET((a,c),0)\nREAL.SYNC\nREAL.GET(a,c)\n')
      await shows('= 0')
      proxy.behaviour = { kind: 'cut the answer to COMMIT' }
      const keys = Array.from({ length: 2000 }, (_, i) => `k${String(i).padStart(4, '0')}`)
      child.stdin.end(keys.map((key) => `REAL.SET((${key},c),1)\n`).join(''))
      expect(await ended).toMatchObject({ status: 0 })
      expect(proxy.cuts).toBe(1)
      expect((await at.report()).replicas[0]).toMatchObject({ retries: 1, foreign: 0, quarantined: [] })
      expect(await at.rows()).toEqual(['a,c,0', ...keys.map((key) => `${key},c,1`)])
    } finally {
      await proxy.close()
      await database.drop()
    }
  })

  bearsFaults('PostgreSQL', start, {
    misfits: [
      ['timestamp', '"2026-11-22 15:11:21.956711651Z"'],
      ['string', '"a\\u0000b"'],
    ],
    checks: true,
  })
})
