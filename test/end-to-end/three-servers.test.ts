import { afterAll, beforeAll, expect, it } from 'vitest'
import { Workspace, type Ended } from '../cli/support.ts'
import { Databases } from '../connectors/hive-support.ts'
import { createDatabase, type Database } from '../connectors/postgres-support.ts'
import { TestDatabases } from '../support/mongodb-databases.ts'
import { describeOn } from '../support/servers.ts'

const TIME_LIMIT = 300_000

const SCRIPT = `# as a class writes it
1, HIVE.SET((SID1033,CSE016), A)
1, SQL.SET((SID1033,CSE016), B)
2, HIVE.GET(SID1033,CSE016) = A
MONGO.SET((SID1034,CSE016), "B+")
SQL.SET((SID1035,CSE017), "it's \\"quoted\\", \\\\ and ünïcode")
MONGO.SET((SID1036,CSE017), C)
MONGO.DELETE(SID1036,CSE017)
HIVE.MERGE(POSTGRESQL)
3, HIVE.GET(SID1033,CSE016) = B
POSTGRESQL.MERGE(MONGODB)
SQL.GET(SID1034,CSE016) = "B+"
FULL_SYNC
MONGO.GET(SID1033,CSE016) = B
HIVE.GET(SID1036,CSE017) = none
`

describeOn(['postgres', 'mongodb', 'hive'], 'one table on three real servers', (postgres, mongodb, hive) => {
  const documents = new TestDatabases(mongodb)
  const warehouses = new Databases(hive)
  let database: Database
  let workspace: Workspace

  beforeAll(async () => {
    workspace = await Workspace.create()
    database = await createDatabase(postgres)
    const urls = { hive: await warehouses.create(), postgres: database.url, mongodb: documents.fresh() }
    await workspace.write(
      'merganser.yaml',
      `replicas:
  HIVE: { type: hive, url: '${urls.hive}' }
  POSTGRESQL: { type: postgres, url: '${urls.postgres}' }
  MONGODB: { type: mongodb, url: '${urls.mongodb}' }
`,
    )
  }, TIME_LIMIT)

  afterAll(async () => {
    await Promise.all([database.drop(), documents.drop(), warehouses.dropAll()])
  }, TIME_LIMIT)

  const merganser = (...args: string[]): Promise<Ended> => workspace.start(args).ended

  /** Runs a command that must end with a status; gives what it printed. */
  async function ends(status: number, ...args: string[]): Promise<string> {
    const ended = await merganser(...args)
    expect(ended, `merganser ${args.join(' ')}`).toMatchObject({ status })
    return ended.out + ended.err
  }

  async function sameRowsEverywhere(): Promise<void> {
    for (const [a, b] of [
      ['HIVE', 'SQL'],
      ['SQL', 'MONGO'],
      ['MONGO', 'HIVE'],
    ] as const) {
      await ends(0, 'diff', a, b)
    }
  }

  it(
    'a script runs over all three, they converge, and diff finds the same rows with the same stamps in each',
    async () => {
      await workspace.write('class.in', SCRIPT)
      expect(await ends(0, 'run', 'class.in')).toContain('converged')
      await sameRowsEverywhere()
      const shown = await Promise.all(['HIVE', 'SQL', 'MONGO'].map((name) => ends(0, 'query', name, '--format', 'csv')))
      expect(shown[0]).toContain('SID1033,CSE016,B')
      expect(shown[1]).toBe(shown[0])
      expect(shown[2]).toBe(shown[0])
    },
    TIME_LIMIT,
  )

  it(
    'I15: a row changed by hand in one of them is found by diff, repaired only by choice, and taken to all by FULL_SYNC',
    async () => {
      await database.query("UPDATE student_course_grades SET grade = 'F' WHERE student_id = 'SID1033'")
      expect(await ends(1, 'diff', 'SQL', 'MONGO')).toContain('SID1033')
      await ends(1, 'repair', 'SQL', 'MONGO')
      expect(await ends(1, 'diff', 'SQL', 'MONGO')).toContain('SID1033')
      await ends(0, 'repair', 'SQL', 'MONGO', '--prefer', 'MONGO')
      await ends(0, 'diff', 'SQL', 'MONGO')
      await workspace.write('all.in', 'FULL_SYNC\nHIVE.GET(SID1033,CSE016) = B\n')
      await ends(0, 'run', 'all.in')
      await sameRowsEverywhere()
    },
    TIME_LIMIT,
  )

  it(
    'doctor finds all three in order',
    async () => {
      const shown = await ends(0, 'doctor')
      for (const name of ['HIVE', 'POSTGRESQL', 'MONGODB']) expect(shown).toContain(name)
    },
    TIME_LIMIT,
  )
})
