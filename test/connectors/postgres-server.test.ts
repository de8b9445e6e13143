import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { postgres } from '../../src/connectors/postgres/connector.ts'
import { batchOf, keysOf, rowAt, type StampedRow } from '../../src/core/batch.ts'
import { DEFAULT_TABLE } from '../../src/core/table.ts'
import { describeOn } from '../support/servers.ts'
import { createDatabase, open, row, run, startProxy, type Database, type Proxy } from './postgres-support.ts'
import type { ConnectorOptions, Finding, OpenContext, ReplicaStore } from '../../src/connectors/connector.ts'
import type { MerganserError } from '../../src/core/errors.ts'

const LOCK = 'SELECT pid::text FROM pg_locks WHERE locktype = $$advisory$$ AND classid = 1835363943 AND granted'

describeOn(['postgres'], 'a PostgreSQL server', (server) => {
  let database: Database
  const opened: ReplicaStore[] = []
  const proxies: Proxy[] = []

  beforeAll(async () => {
    database = await createDatabase(server)
  })
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close()
    for (const proxy of proxies.splice(0)) await proxy.close()
    await database.query('DROP SCHEMA public CASCADE')
    await database.query('CREATE SCHEMA public')
  })
  afterAll(async () => {
    await database.drop()
  })

  async function opens(options: ConnectorOptions = {}, more: Partial<OpenContext> = {}): Promise<ReplicaStore> {
    const store = await open({ url: database.url, ...options }, more)
    opened.push(store)
    return store
  }

  async function failureOf(work: Promise<unknown>): Promise<MerganserError> {
    return await work.then(
      () => {
        throw new Error('it went well')
      },
      (error: unknown) => error as MerganserError,
    )
  }

  async function ready(options: ConnectorOptions = {}): Promise<ReplicaStore> {
    const store = await opens(options)
    await store.ensureTable(DEFAULT_TABLE)
    return store
  }

  const write = (store: ReplicaStore, ...rows: StampedRow[]) =>
    store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, rows))
  const many = (count: number, stamp?: number) => Array.from({ length: count }, (_, i) => row(i, 'A', stamp ?? i))
  const countRows = async () =>
    Number((await database.query('SELECT count(*)::text FROM student_course_grades'))[0]![0])

  async function read(store: ReplicaStore, n: number): Promise<StampedRow | undefined> {
    const batch = await store.readRows(DEFAULT_TABLE, keysOf(DEFAULT_TABLE, [row(n).key]))
    return batch.rows === 0 ? undefined : rowAt(batch, 0)
  }

  async function findings(options: ConnectorOptions = {}): Promise<Finding[]> {
    const found: Finding[] = []
    const raw = { url: database.url, ...options }
    for await (const finding of postgres.diagnose!(raw, { access: 'write', directory: '', replica: 'POSTGRESQL' })) {
      found.push(finding)
    }
    return found
  }

  /** A proxy before the server, and the URL of the database through it. */
  async function behindProxy(): Promise<{ proxy: Proxy; url: string }> {
    const { hostname, port } = new URL(server)
    const proxy = await startProxy(hostname, Number(port || 5432))
    proxies.push(proxy)
    const url = database.with((changed) => {
      changed.hostname = '127.0.0.1'
      changed.port = String(proxy.port)
      changed.searchParams.set('sslmode', 'disable')
    })
    return { proxy, url }
  }

  it('that is not there, or has no such database or schema, is told of with what to do, within the time limit', async () => {
    const elsewhere = (change: (url: URL) => void) =>
      failureOf(opens({ url: database.with(change), connectSeconds: 2 }))
    const port = await elsewhere((url) => (url.port = '1'))
    expect(port).toMatchObject({ code: 'DATABASE_UNREACHABLE', message: expect.stringContaining(':1') as string })
    expect(await elsewhere((url) => (url.hostname = 'nowhere.invalid'))).toMatchObject({ code: 'DATABASE_UNREACHABLE' })
    expect(await elsewhere((url) => (url.pathname = '/no_such_database'))).toMatchObject({ code: 'DATABASE_REFUSED' })
    const schema = await failureOf(opens({ schema: 'no such schema' }))
    expect(schema).toMatchObject({
      code: 'DATABASE_REFUSED',
      advice: expect.stringContaining('CREATE SCHEMA') as string,
    })
    const { proxy, url } = await behindProxy()
    proxy.behaviour = { kind: 'swallow' }
    const began = performance.now()
    expect(await failureOf(opens({ url, connectSeconds: 1 }))).toMatchObject({ code: 'DATABASE_UNREACHABLE' })
    expect(performance.now() - began).toBeLessThan(20_000)
  })

  it('is found among several hosts', async () => {
    const { host } = new URL(server)
    const url = database.url.replace(host, `127.0.0.1:1,${host.includes(':') ? host : `${host}:5432`}`)
    const store = await opens({ url })
    expect(store.meta).toBeUndefined()
    const standby = await failureOf(opens({ url: `${url}?target_session_attrs=standby` }))
    expect(standby).toMatchObject({ code: 'DATABASE_UNREACHABLE' })
  })

  it('with another encoding than UTF8 is refused', async () => {
    const latin = await createDatabase(server, "TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try {
      const refused = await failureOf(opens({ url: latin.url }))
      expect(refused).toMatchObject({ code: 'DATABASE_REFUSED', message: 'the database is encoded in LATIN1' })
    } finally {
      await latin.drop()
    }
  })

  it('that grants too little refuses, and doctor says what is missing', async () => {
    const role = `merganser_role_${Math.random().toString(36).slice(2, 10)}`
    await run(server, `CREATE ROLE ${role} LOGIN PASSWORD 'x-y-z'`)
    try {
      await database.query('REVOKE ALL ON SCHEMA public FROM PUBLIC')
      await database.query(`GRANT USAGE ON SCHEMA public TO ${role}`)
      const url = database.with((changed) => {
        changed.username = role
        changed.password = 'x-y-z'
      })
      expect(await failureOf(opens({ url }))).toMatchObject({ code: 'DATABASE_REFUSED' })
      expect(await findings({ url })).toContainEqual(
        expect.objectContaining({ level: 'problem', check: 'privileges', advice: 'GRANT CREATE ON SCHEMA public' }),
      )
      await (await ready()).close()
      expect(await findings({ url })).toContainEqual(
        expect.objectContaining({ level: 'problem', message: 'the user may not read and write merganser_meta' }),
      )
      await database.query(`GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO ${role}`)
      const store = await ready({ url })
      expect(await write(store, row(1))).toMatchObject({ written: 1 })
    } finally {
      await database.drop()
      await run(server, `DROP ROLE ${role}`)
      database = await createDatabase(server)
    }
  })

  it('I9: has one owner for each schema; a second one is refused by name', async () => {
    await database.query('CREATE SCHEMA "Other one"')
    const one = await ready()
    const two = await ready({ schema: 'Other one' })
    const refused = await failureOf(opens({}, { owner: { logId: 'b', name: 'another' } }))
    expect(refused).toMatchObject({ code: 'DATABASE_LOCKED', message: expect.stringContaining('the test') as string })
    await write(one, row(1))
    await write(two, row(2))
    expect(await read(one, 2)).toBeUndefined()
    expect(await read(two, 2)).toEqual(row(2))
    const lock = (await findings()).find(({ check }) => check === 'lock')
    expect(lock).toMatchObject({ level: 'warning', message: expect.stringContaining('the test') as string })
    const dotted = { ...DEFAULT_TABLE, name: 'Other one.my table' }
    await one.ensureTable(dotted)
    await one.writeRows(dotted, batchOf(dotted, [row(3)]))
    expect(await database.query('SELECT student_id FROM "Other one"."my table_live"')).toEqual([['SID3']])
    for (const store of opened.splice(0)) await store.close()
    await database.query('DROP SCHEMA "Other one" CASCADE')
  })

  it('I9: lets no connection of a former owner write, though it is still there', async () => {
    const store = await ready({ connections: 3 })
    expect(await write(store, ...many(20_000))).toMatchObject({ written: 20_000 })
    await database.query("UPDATE merganser_meta SET session = 'of another'")
    expect(await failureOf(write(store, ...many(20_000, 900_000)))).toMatchObject({ code: 'CONNECTION_LOST' })
    expect(await failureOf(store.writeMeta({ inUse: false, highWater: '', position: 1 }))).toMatchObject({
      code: 'CONNECTION_LOST',
    })
    const newer = "SELECT count(*)::text FROM student_course_grades WHERE grade_stamp > '2026-11-22 15:11:21.0009'"
    expect(await database.query(newer)).toEqual([['0']])
  })

  it('I9: a store whose lock was lost with its connection answers nothing more', async () => {
    const store = await ready()
    await write(store, row(1))
    const [pid] = (await database.query(LOCK))[0]!
    await database.query(`SELECT pg_terminate_backend(${pid!})`)
    await expect.poll(() => database.query(LOCK)).toEqual([])
    expect(await failureOf(write(store, row(2)))).toMatchObject({ code: 'CONNECTION_LOST' })
    expect(await failureOf(read(store, 1))).toMatchObject({ code: 'CONNECTION_LOST' })
    await opens()
  })

  it('I5: a reply that is lost at COMMIT loses the connection; the same batch again finds it all there', async () => {
    const { proxy, url } = await behindProxy()
    const store = await ready({ url, connections: 2 })
    proxy.behaviour = { kind: 'cut the answer to COMMIT' }
    expect(await failureOf(write(store, ...many(1000)))).toMatchObject({ code: 'CONNECTION_LOST' })
    expect(proxy.cuts).toBe(1)
    await store.close()
    await expect.poll(countRows).toBe(1000)
    const again = await opens({ url })
    expect(await write(again, ...many(1000))).toEqual({ written: 0, stale: 1000, rejected: [], foreign: [] })
  })

  it('that answers no more, or byte by byte, keeps nobody longer than the time limit of a statement', async () => {
    const { proxy, url } = await behindProxy()
    for (const behaviour of [{ kind: 'swallow' } as const, { kind: 'drip', milliseconds: 400 } as const]) {
      proxy.behaviour = { kind: 'pass' }
      const store = await ready({ url, statementSeconds: 1 })
      await write(store, ...many(100))
      proxy.behaviour = behaviour
      const began = performance.now()
      const failures = await Promise.all([failureOf(write(store, row(5))), failureOf(read(store, 5))])
      for (const failure of failures) expect(failure.code).toBe('CONNECTION_LOST')
      expect(performance.now() - began).toBeLessThan(30_000)
      await store.close()
    }
  })

  it('asks to try again after a deadlock, and after waiting too long for a lock', async () => {
    const store = await ready({ statementSeconds: 1 })
    await write(store, row(1))
    const { default: pg } = await import('pg')
    const other = new pg.Client({ connectionString: database.url })
    await other.connect()
    try {
      await other.query('BEGIN')
      await other.query('UPDATE student_course_grades SET grade = grade')
      expect(await failureOf(write(store, row(1, 'B', 2)))).toMatchObject({ code: 'TIME_LIMIT' })
      await other.query('ROLLBACK')
      expect(await write(store, row(1, 'B', 2))).toMatchObject({ written: 1 })
    } finally {
      await other.end()
    }
    const deadlock = `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
      $$BEGIN RAISE EXCEPTION 'x' USING ERRCODE = TG_ARGV[0]; END$$`
    await database.query(deadlock)
    for (const [state, code] of [
      ['40P01', 'BACK_OFF'],
      ['40001', 'BACK_OFF'],
      ['55P03', 'BACK_OFF'],
      ['53300', 'BACK_OFF'],
      ['57P01', 'CONNECTION_LOST'],
    ] as const) {
      const again = state === '40P01' ? store : await opens()
      await database.query(`CREATE TRIGGER t BEFORE INSERT ON student_course_grades
        FOR EACH ROW EXECUTE FUNCTION fail('${state}')`)
      expect(await failureOf(write(again, row(3))), state).toMatchObject({ code })
      await database.query('DROP TRIGGER t ON student_course_grades')
      await again.close()
    }
  })

  it('I8: a row that it refuses is left out with a reason, whatever part of the batch it is in', async () => {
    const store = await ready({ connections: 2 })
    await database.query("ALTER TABLE student_course_grades ADD CHECK (grade <> 'refused')")
    const rows = many(12_000).map((one, i) => (i === 3 || i === 11_000 ? row(i, 'refused') : one))
    const result = await write(store, ...rows)
    expect(result).toMatchObject({ written: 11_998, stale: 0, foreign: [] })
    expect(result.rejected.map((one) => one.row)).toEqual([3, 11_000])
    expect(JSON.stringify(result.rejected)).not.toContain('refused')
  })

  it('is looked at by doctor, which leaves nothing behind', async () => {
    const found = await findings()
    expect(found.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['reach', 'tls', 'version', 'encoding', 'privileges', 'clock', 'lock']),
    )
    expect(found.filter(({ level, check }) => level === 'problem' || check === 'pooler')).toEqual([])
    expect(await database.query("SELECT relname FROM pg_class WHERE relname LIKE 'merganser%'")).toEqual([])
    const none = await findings({ url: database.with((url) => (url.port = '1')) })
    expect(none).toMatchObject([{ level: 'problem', check: 'reach', fault: 'database' }])
    expect(await findings({ url: 'nonsense' })).toMatchObject([{ level: 'problem', fault: 'configuration' }])
  })
})
