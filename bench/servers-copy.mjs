import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Session } from '../dist/connectors/hive/session.js'
import { createTable as createHiveTable } from '../dist/connectors/hive/statements.js'
import { parseHiveUrl } from '../dist/connectors/hive/url.js'
import { createTableSql, layoutOf } from '../dist/connectors/postgres/layout.js'
import { DEFAULT_TABLE } from '../dist/core/table.js'
import { fresh, path } from './merganser.mjs'
import { absent, atMost, inPairs, measured, median } from './pairs.mjs'
import { runProcess, timed } from './processes.mjs'
import { freshDatabase, missingServers, onServers, serverUrl, withPostgres } from './servers.mjs'
import { importFile, mongoServerName, psql, TOOLS } from './servers-tools.mjs'

const TABLE = 'student_course_grades'
const BAR = atMost(1.2)

const TARGETS = [
  {
    kind: 'mongodb',
    work: 'copy PostgreSQL to a MongoDB-protocol server',
    reference: 'psql COPY to CSV, mongoimport',
    tools: ['psql', 'mongoimport'],
    load: (url, _directory, { mongoimport }) => loadMongo(mongoimport, url),
    note: mongoServerName,
  },
  {
    kind: 'hive',
    work: 'copy PostgreSQL to Hive',
    reference: 'psql COPY to CSV, LOAD DATA, INSERT',
    tools: ['psql'],
    load: (url) => loadHive(url),
  },
]

/**
 * `merganser copy` from a PostgreSQL server into an empty database, a process of its own; against psql's COPY into a CSV
 * file and the other database's bulk load of it.
 */
export async function copy({ directory, copied, pairs, build }) {
  const lines = TARGETS.map(({ work, reference }) => [work, reference])
  return await onServers(['postgres'], lines, async (source) => {
    await fillSource(source, copied)
    const results = []
    for (const target of TARGETS) results.push(await copyTo(target, { source, directory, copied, pairs, build }))
    return results
  })
}

/** Makes the table in a new database of PostgreSQL and fills it, the same each time. */
export async function fillSource(url, rows) {
  await withPostgres(url, async (client) => {
    await client.query(createTableSql(layoutOf(DEFAULT_TABLE)))
    await client.query(`INSERT INTO ${TABLE} (student_id, course_id, grade, grade_stamp)
      SELECT 'SID' || 1000 + n / 40, 'CSE' || lpad((n % 40)::text, 3, '0'), chr(65 + n % 6),
        to_char(timestamp '2026-01-01' + n * interval '1 ms', 'YYYY-MM-DD HH24:MI:SS.US') || '000Z@POSTGRESQL'
      FROM generate_series(0, ${rows - 1}) AS n`)
    await client.query(`VACUUM ANALYZE ${TABLE}`)
  })
}

async function copyTo(target, { source, directory, copied, pairs, build }) {
  const { kind, work, reference, tools, note } = target
  const programs = {}
  let missing = missingServers([kind])
  for (const name of missing === undefined ? tools : []) {
    const found = await TOOLS[name](build)
    programs[name] = found.program
    missing ??= found.missing
  }
  if (missing !== undefined) return absent(work, reference, missing)
  const peaks = []
  const into = (write) => async () => {
    const database = await freshDatabase(kind)
    try {
      return await fresh(directory, (own) => write(database.url, own))
    } finally {
      await database.drop()
    }
  }
  const ours = into(async (url, own) => {
    const { seconds, peak } = await merganserCopy(own, source, { type: kind, url })
    peaks.push(peak)
    return seconds
  })
  const theirs = into(async (url, own) => {
    const load = await target.load(url, own, programs)
    return await timed(async () => {
      const file = join(own, 'rows.csv')
      const columns = load.columns.join(', ')
      await psql(programs.psql, source, ['-c', `\\copy (SELECT ${columns} FROM ${TABLE}) TO '${file}' CSV`])
      await load.run(file)
    })
  })
  const figures = await inPairs(pairs, ours, theirs)
  const memory = peaks.includes(undefined) ? [] : [`memory ${Math.round(median(peaks))} MB`]
  const notes = [...(note === undefined ? [] : [await note(serverUrl(kind))]), ...memory]
  return measured({ work, reference, bar: BAR, pairs: figures, count: copied, unit: 'rows', note: notes.join(', ') })
}

/** The process's time and its most memory. */
async function merganserCopy(directory, source, target) {
  const replicas = { POSTGRESQL: { type: 'postgres', url: source }, TARGET: target }
  // JSON is YAML.
  writeFileSync(join(directory, 'merganser.yaml'), JSON.stringify({ replicas }))
  const args = [path('../bin/merganser.js'), 'copy', 'POSTGRESQL', 'TARGET', '--quiet']
  return await runProcess(process.execPath, args, { cwd: directory })
}

/** What a document has: the key twice, as `_id` and as fields. */
async function loadMongo(program, url) {
  const fields = ['_id.student_id', '_id.course_id', 'student_id', 'course_id', 'grade', 'stamps.grade']
  const args = ['--type=csv', '--columnsHaveTypes', '--fields', fields.map((name) => `${name}.string()`).join(',')]
  return {
    columns: ['student_id', 'course_id', 'student_id', 'course_id', 'grade', 'grade_stamp'],
    run: (file) => importFile(program, url, TABLE, file, args),
  }
}

async function loadHive(url) {
  const session = await Session.open(parseHiveUrl(url), { replica: 'REFERENCE' })
  await session.execute(createHiveTable(DEFAULT_TABLE))
  await session.execute(
    'CREATE TABLE reference_stage (student_id string, course_id string, grade string, grade_stamp string) ' +
      "ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' STORED AS TEXTFILE TBLPROPERTIES ('transactional' = 'false')",
  )
  return {
    columns: ['student_id', 'course_id', 'grade', 'grade_stamp'],
    run: async (file) => {
      try {
        await session.execute(`LOAD DATA LOCAL INPATH '${file}' OVERWRITE INTO TABLE reference_stage`)
        await session.execute(
          `INSERT INTO ${TABLE} SELECT student_id, course_id, grade, grade_stamp, NULL FROM reference_stage`,
        )
      } finally {
        await session.connection.close()
      }
    },
  }
}
