import { randomBytes } from 'node:crypto'
import { MongoClient, type Db } from 'mongodb'
import { startOwnMongodb, type OwnMongodb } from '../support/own-mongodb.ts'
import { describeOn } from '../support/servers.ts'
import { bearsFaults } from './faults.ts'
import type { Database, Subject } from './subject.ts'

const ROOT = { name: 'keeper', password: 'p@ss/w:rd#42', roles: ['root'] }

async function start(): Promise<Subject> {
  const server = await startOwnMongodb({ users: [ROOT] })
  return {
    server,
    secrets: [ROOT.password, 'wrong-secret'],
    database: () => Promise.resolve(databaseOn(server)),
  }
}

function databaseOn(server: OwnMongodb): Database {
  const database = `merganser_faults_${randomBytes(6).toString('hex')}`
  const options = { type: 'mongodb', url: server.urlOf({ database }), connectSeconds: 2, leaseSeconds: 2 }
  const at = (parts: Parameters<OwnMongodb['urlOf']>[0]) => ({ ...options, url: server.urlOf({ database, ...parts }) })
  const byHand = async (work: (db: Db) => Promise<unknown>): Promise<void> => {
    const client = new MongoClient(server.urlOf({ database }), { serverSelectionTimeoutMS: 10_000 })
    try {
      await work(client.db(database))
    } finally {
      await client.close()
    }
  }
  return {
    options,
    impatient: { ...options, connectSeconds: 1, statementSeconds: 1 },
    wrong: {
      port: { options: at({ port: 1 }), codes: ['DATABASE_UNREACHABLE'] },
      host: { options: at({ host: 'nowhere.invalid' }), codes: ['DATABASE_UNREACHABLE'] },
      password: { options: at({ user: { name: ROOT.name, password: 'wrong-secret' } }), codes: ['DATABASE_REFUSED'] },
    },
    misshape: () => byHand((db) => db.createCollection('student_course_grades', { capped: true, size: 4096 })),
    change: (table, [key, value], [column, to]) =>
      byHand((db) => db.collection(table).updateOne({ [key]: value }, { $set: { [column]: to } })),
    refuse: (refuses) =>
      byHand((db) =>
        db.command({
          collMod: 'student_course_grades',
          validator: refuses ? { grade: { $ne: 'refused' } } : {},
        }),
      ),
  }
}

describeOn(['mongodb'], 'MongoDB under faults', () => {
  bearsFaults('MongoDB', start, {
    misfits: [
      ['json', '"{\\"a\\\\u0000b\\":1}"'],
      ['decimal(38,1)', '"1234567890123456789012345678901234567.8"'],
    ],
    checks: true,
  })
})
