import { randomBytes } from 'node:crypto'
import { sessionOn } from '../connectors/hive-support.ts'
import { startOwnHive, type OwnHive } from '../support/own-hive.ts'
import { describeOn } from '../support/servers.ts'
import { bearsFaults } from './faults.ts'
import type { Database, Subject } from './subject.ts'

async function start(): Promise<Subject> {
  const server = await startOwnHive({ doors: [{ auth: 'custom' }] })
  const { password } = new URL(server.url)
  return {
    server,
    secrets: [decodeURIComponent(password), 'wrong-secret'],
    database: () => databaseOn(server),
  }
}

async function databaseOn(server: OwnHive): Promise<Database> {
  const name = `merganser_faults_${randomBytes(6).toString('hex')}`
  const run = async (...statements: string[]): Promise<void> => {
    const session = await sessionOn(server.url)
    try {
      for (const statement of statements) await session.execute(statement)
    } finally {
      await session.close()
    }
  }
  await run(`CREATE DATABASE ${name}`)
  const at = (change: (url: URL) => void): string => {
    const url = new URL(server.url)
    url.pathname = name
    url.searchParams.set('connectSeconds', '5')
    change(url)
    return url.href
  }
  const usual = at(() => undefined)
  const options = { type: 'hive', url: usual, leaseSeconds: 3 }
  const to = (change: (url: URL) => void) => ({ ...options, url: at(change) })
  const hasty = at((url) => {
    for (const [limit, seconds] of Object.entries({ connectSeconds: 2, answerSeconds: 1, cancelSeconds: 1 })) {
      url.searchParams.set(limit, String(seconds))
    }
  })
  return {
    options,
    impatient: { ...options, url: hasty, statementSeconds: 5 },
    wrong: {
      port: { options: to((url) => (url.port = '1')), codes: ['DATABASE_UNREACHABLE'] },
      host: { options: to((url) => (url.hostname = 'nowhere.invalid')), codes: ['DATABASE_UNREACHABLE'] },
      database: { options: to((url) => (url.pathname = 'nothing_there')), codes: ['DATABASE_REFUSED'] },
      password: { options: to((url) => (url.password = 'wrong-secret')), codes: ['DATABASE_REFUSED'] },
      mismatch: {
        options: to((url) => {
          url.searchParams.set('auth', 'nosasl')
        }),
        codes: ['DATABASE_UNREACHABLE', 'DATABASE_REFUSED'],
      },
    },
    misshape: () => run(`CREATE TABLE ${name}.student_course_grades (student_id int, grade string)`),
    change: (table, [key, value], [column, text]) =>
      run(`UPDATE ${name}.\`${table}\` SET \`${column}\` = '${text}' WHERE \`${key}\` = '${value}'`),
  }
}

describeOn(['hive'], 'Hive under faults', () => {
  bearsFaults('Hive', start, { misfits: [['timestamp', '"1969-12-31 23:59:59.5Z"']], checks: false })
})
