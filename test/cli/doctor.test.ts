import { createServer, type AddressInfo } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { createDatabase } from '../connectors/postgres-support.ts'
import { describeOn } from '../support/servers.ts'
import { Workspace } from './support.ts'

const workspace = await Workspace.create()

/** A server that takes connections and says nothing. */
const silent = createServer(() => undefined)
await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
afterAll(() => silent.close())
const port = String((silent.address() as AddressInfo).port)

interface Line {
  readonly replica: string | null
  readonly level: string
  readonly check: string
  readonly message: string
  readonly advice?: string
}

const linesOf = (out: string) =>
  out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)

test('doctor finds nothing wrong where nothing is, and leaves nothing behind', async () => {
  const { out, err } = await workspace.done(['doctor', '--state', 'fresh'])
  expect(out).toContain('this machine\n  ok')
  expect(out).toMatch(/HIVE \(embedded-warehouse\)[\s\S]*MONGODB \(embedded-documents\)/)
  expect(out).toContain('the first session makes it')
  expect(err).toContain('0 problems, 0 warnings')
  const again = await workspace.done(['doctor', '--state', 'fresh', '--format', 'jsonl'])
  expect(linesOf(again.out).every(({ level }) => level === 'ok')).toBe(true)
  expect(again.out).toContain('will be made')
})

test('doctor opens the databases that are there, those that are asked for', async () => {
  await workspace.write('one.in', 'HIVE.SET((S1,C1), A)\n')
  await workspace.done(['run', 'one.in', '--state', 'used'])
  const { out } = await workspace.done(['doctor', 'hive', '--state', 'used', '--format', 'jsonl'])
  const lines = linesOf(out)
  expect(new Set(lines.map(({ replica }) => replica))).toEqual(new Set([null, 'HIVE']))
  expect(lines).toContainEqual(expect.objectContaining({ check: 'reach', message: 'opened for reading and closed' }))
})

test('doctor goes on past wrong options and silent servers, within its time, without secrets', async () => {
  const file = await workspace.write(
    'bad.yaml',
    `replicas:
  GOOD: { type: embedded-documents }
  WRONG: { type: embedded-warehouse, memory: much }
  SILENT: { type: postgres, url: 'postgres://me:sesame@127.0.0.1:${port}/x?sslmode=disable', connectSeconds: 600 }
`,
  )
  const started = performance.now()
  const ended = await workspace.run(['doctor', '--config', file, '--timeout', '1', '--format', 'jsonl'])
  expect(performance.now() - started).toBeLessThan(30_000)
  const lines = linesOf(ended.out)
  const of = (replica: string) => lines.filter((line) => line.replica === replica)
  expect(of('GOOD').every(({ level }) => level === 'ok')).toBe(true)
  expect(of('WRONG')).toMatchObject([{ level: 'problem', check: 'configuration' }])
  expect(of('SILENT').at(-1)).toMatchObject({ level: 'problem', check: 'time' })
  expect(ended.out + ended.err).not.toContain('sesame')
  expect(ended.status).toBe(3)
  expect((await workspace.run(['doctor', 'WRONG', '--config', file])).status).toBe(2)
})

test('doctor names an unknown replica, and damage of the state', async () => {
  const unknown = await workspace.run(['doctor', 'HIV'])
  expect(unknown.status).toBe(2)
  expect(unknown.err).toContain('did you mean HIVE?')
  await workspace.write('one.in', 'HIVE.SET((S1,C1), A)\n')
  await workspace.done(['run', 'one.in', '--state', 'damaged'])
  await workspace.write('damaged/oplogs.hive', 'this is no oplog\n')
  const { status, out } = await workspace.run(['doctor', '--state', 'damaged'])
  expect(status).toBe(4)
  expect(out).toContain('problem  oplog: HIVE')
})

describeOn(['postgres'], 'doctor at PostgreSQL', (server) => {
  test('looks where the names of the tables lead: schemas, privileges and shapes, each with what to do', async () => {
    const database = await createDatabase(server)
    try {
      const role = `merganser_doctor_${Math.random().toString(36).slice(2, 10)}`
      const config = (user?: string) => {
        const url = database.with((changed) => {
          if (user !== undefined) [changed.username, changed.password] = [user, 'x-y-z']
        })
        return `tables:
  grades: { key: { student: string }, values: { grade: string } }
  rooms: { key: { name: string }, values: { seats: int64 } }
replicas:
  REAL:
    type: postgres
    url: '${url}'
    tables: { grades: { name: app.marks, columns: { grade: mark } }, rooms: { name: Rooms } }
`
      }
      const look = async (name: string) => {
        const ended = await workspace.run(['doctor', '--config', name, '--state', 'doctor', '--format', 'jsonl'])
        return { status: ended.status, found: linesOf(ended.out).filter(({ replica }) => replica === 'REAL') }
      }
      await workspace.write('mapped.yaml', config())
      expect(await look('mapped.yaml')).toMatchObject({
        status: 3,
        found: expect.arrayContaining([
          expect.objectContaining({ check: 'privileges', message: 'there is no schema app in the database' }),
          expect.objectContaining({ check: 'table', level: 'ok', message: expect.stringContaining('Rooms') as string }),
        ]) as unknown,
      })
      await database.query('CREATE SCHEMA app')
      await workspace.write('made.in', 'REAL.grades.SET(s1, A)\nREAL.rooms.SET(hall, 200)\n')
      await workspace.done(['run', 'made.in', '--config', 'mapped.yaml', '--state', 'doctor', '--quiet'])
      const right = await look('mapped.yaml')
      expect(right.status).toBe(0)
      expect(right.found.filter(({ check }) => check === 'table')).toMatchObject([
        { level: 'ok', message: 'app.marks: there, of the right shape' },
        { level: 'ok', message: 'Rooms: there, of the right shape' },
      ])
      await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x-y-z'`)
      await database.query('GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC')
      await database.query('GRANT USAGE ON SCHEMA app TO PUBLIC')
      await database.query('ALTER TABLE public."Rooms" DROP COLUMN seats CASCADE')
      await workspace.write('less.yaml', config(role))
      const less = await look('less.yaml')
      expect(less.status).toBe(3)
      const problems = less.found.filter(({ level }) => level === 'problem')
      expect(problems.map(({ message }) => message)).toEqual([
        'the user may not read and write marks',
        expect.stringContaining('Rooms has another shape: column seats is missing'),
      ])
      expect(problems.every(({ advice }) => advice !== undefined)).toBe(true)
      await database.query(`DROP OWNED BY ${role}`)
      await database.query(`DROP ROLE ${role}`)
    } finally {
      await database.drop()
    }
  })
})
