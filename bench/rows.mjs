import { gradeOf, keyOf, randomBelow } from './script.mjs'

/** The default table, as a program writes it. */
export const TABLES = {
  student_course_grades: { key: { student_id: 'string', course_id: 'string' }, values: { grade: 'string' } },
}

/** Keys in an order as a script meets them: any, but always the same. */
export function shuffledKeys(rows) {
  const below = randomBelow()
  const keys = Array.from({ length: rows }, (_, i) => keyOf(i))
  for (let i = rows - 1; i > 0; i--) {
    const other = below(i + 1)
    ;[keys[i], keys[other]] = [keys[other], keys[i]]
  }
  return keys
}

/** One SET of the library; a promise where it asks its caller to wait. */
export function setGrade(session, replica, [student_id, course_id], grade) {
  return session.set(replica, 'student_course_grades', { student_id, course_id }, { grade })
}

/** SETs every key in a replica's cache and oplog; nothing is flushed yet. */
export async function setRows(session, replica, keys, round) {
  for (const [i, key] of keys.entries()) {
    const room = setGrade(session, replica, key, gradeOf(i + round))
    if (room !== undefined) await room
  }
  await session.durable()
}
