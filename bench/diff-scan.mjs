// Reads the table of a database once, as a program of a user would; or has the database work out its digest:
//   node diff-scan.mjs scan|digest postgres|mongodb|hive URL
// Says how many rows it met.
import { DEFAULT_TABLE } from '../dist/core/table.js'
import { withMongo, withPostgres } from './servers.mjs'

const { name: TABLE } = DEFAULT_TABLE
const ROWS = { postgres: 10_000, mongodb: 2_000 }

const WORKS = {
  scan: { postgres: scanPostgres, mongodb: scanMongo },
  digest: { postgres: digestPostgres, hive: digestHive },
}

/** The driver's rows, by a cursor. */
async function scanPostgres(url) {
  return await withPostgres(url, async (client) => {
    await client.query('BEGIN READ ONLY')
    await client.query(`DECLARE plain NO SCROLL CURSOR FOR SELECT * FROM ${TABLE} ORDER BY student_id, course_id`)
    let count = 0
    for (;;) {
      const { rows } = await client.query(`FETCH ${ROWS.postgres} FROM plain`)
      if (rows.length === 0) return count
      for (const row of rows) if (row.grade_stamp !== null) count++
    }
  })
}

/** The driver's documents, by a cursor. */
async function scanMongo(url) {
  return await withMongo(url, async (client) => {
    const cursor = client.db().collection(TABLE).find({}, { batchSize: ROWS.mongodb }).sort({ _id: 1 })
    let count = 0
    for await (const { stamps } of cursor) if (stamps.grade !== undefined) count++
    return count
  })
}

async function digestPostgres(url) {
  const { postgres } = await import('../dist/connectors/postgres/connector.js')
  const context = { access: 'read', directory: '', replica: 'REFERENCE' }
  const store = await postgres.open(postgres.options({ url }), context)
  const [{ rows }] = await store.digest(DEFAULT_TABLE, [{}])
  await store.close()
  return rows
}

async function digestHive(url) {
  const [{ Session }, { parseHiveUrl }, { digestRanges }] = await Promise.all([
    import('../dist/connectors/hive/session.js'),
    import('../dist/connectors/hive/url.js'),
    import('../dist/connectors/hive/digest.js'),
  ])
  const session = await Session.open(parseHiveUrl(url), { replica: 'REFERENCE' })
  const [{ rows }] = await digestRanges(session, DEFAULT_TABLE, [{}])
  await session.connection.close()
  return rows
}

const [work, kind, url] = process.argv.slice(2)
process.stdout.write(`${await WORKS[work][kind](url)}\n`)
