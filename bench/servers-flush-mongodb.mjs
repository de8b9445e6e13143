import { join } from 'node:path'
import { absent, atMost } from './pairs.mjs'
import { referenceRow } from './reference-rows.mjs'
import { writeLines } from './script.mjs'
import { missingServers, serverUrl, withMongo } from './servers.mjs'
import { compareFlushes } from './servers-flush.mjs'
import { importFile, mongoServerName, TOOLS } from './servers-tools.mjs'

const WORK = 'flush into a MongoDB-protocol server'
const REFERENCE = 'mongoimport --mode=upsert'
const KEY = { student_id: 1, course_id: 1 }
const BARS = { fresh: atMost(0.5), newer: atMost(1.5) }

/** A flush into a MongoDB-protocol server, against mongoimport, which guards nothing, from a ready file of documents. */
export async function flushMongodb({ directory, rows, pairs, build }) {
  const ages = ['fresh', 'newer']
  const without = (missing) => ages.map((age) => absent(`${WORK}, ${age}`, REFERENCE, missing))
  const missingServer = missingServers(['mongodb'])
  if (missingServer !== undefined) return without(missingServer)
  const { program, missing } = await TOOLS.mongoimport(build)
  if (missing !== undefined) return without(missing)
  const makeReference = async (url, keys, own) => {
    // Some servers find no document by an `_id` that is one itself: it is found by its fields, as Merganser does there.
    await withMongo(url, (client) => client.db().collection('student_course_grades').createIndex(KEY))
    const load = (age) => {
      const file = join(own, `${age}.json`)
      writeLines(file, keys.length, (i) => `${JSON.stringify(documentOf(referenceRow(keys, i, age)))}\n`)
      return () =>
        importFile(program, url, 'student_course_grades', file, [
          '--mode=upsert',
          `--upsertFields=${Object.keys(KEY).join()}`,
        ])
    }
    return { fresh: load('fresh'), newer: load('newer') }
  }
  const note = await mongoServerName(serverUrl('mongodb'))
  const line = (age) => ({ work: `${WORK}, ${age}`, reference: REFERENCE, bar: BARS[age], note })
  const lines = { fresh: line('fresh'), newer: line('newer') }
  return await compareFlushes({ kind: 'mongodb', directory, rows, pairs, makeReference, lines })
}

/** The document that Merganser would write. */
function documentOf([student_id, course_id, grade, stamp]) {
  const key = { student_id, course_id }
  return { _id: key, ...key, grade, stamps: { grade: stamp } }
}
