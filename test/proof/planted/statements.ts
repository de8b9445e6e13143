import { bug, bugOf, type Bug } from './bug.ts'

/** Bugs of what statements do: their order, merges, UNDO, look-ups; most of it in the kernel. */
export const STATEMENT_BUGS: readonly Bug[] = [
  bug(
    'FULL_SYNC leaves out the last replica',
    'I1 I12 I13',
    'engine/merges.ts',
    'for (const { id } of context.replicas.slice(1)) await mergeOne(context, id, 0, origin)',
    'for (const { id } of context.replicas.slice(1, -1)) await mergeOne(context, id, 0, origin)',
  ),
  bug(
    'a merge that had to look rows up is not gone on with',
    'I6 I12 I13',
    'engine/merges.ts',
    `await context.reads.resolve(into, step.incomplete)
      continue`,
    `await context.reads.resolve(into, step.incomplete)
      break`,
  ),
  bug(
    'UNDO writes under the last stamp, not under a new one',
    'I2 I3',
    'engine/undo.ts',
    'state.undo(replica, (of) => nextStamp(context, of))',
    'state.undo(replica, (of) => ({ time: context.clock.last, origin: catalog.replicas[of]! }))',
  ),
  bug(
    'what was written before a GET that waits comes behind it',
    'I13',
    'engine/sequencer.ts',
    `    this.#takeAll(false)
    this.#current.end = unanswered`,
    '    this.#current.end = unanswered',
  ),
  bug(
    'a session that goes on takes its cache for all there is',
    'I13',
    'engine/session.ts',
    'if (above > 0n) state.floor(id, above)',
    '',
  ),
  bug(
    'no tie-break: between equal times who came first stays',
    'I1 I6 I12 I13',
    'kernel/assembly/joins.ts',
    `  const order = compareStamps(time, originOf(word), timeIn(than), originOf(other))
  return order > 0 || (order == 0 && compareValues(word, other) > 0)`,
    '  return false',
  ),
  bug(
    'between equal times the origin that was met last wins',
    'I1 I6 I12 I13',
    'kernel/assembly/origins.ts',
    'rankOf(originA) < rankOf(originB)',
    'originA < originB',
  ),
  bugOf('restamped merge: what was taken has the name of who took it', 'I1 I2 I5 I6 I12 I13', {
    'kernel/assembly/merge.ts': [
      { find: 'floorOf, hasFloor, raiseSeen', replace: 'floorOf, hasFloor, originOfReplica, raiseSeen' },
      {
        find: '  const word = wordIn(theirs)\n',
        replace: `  let word = wordIn(theirs)
  if (isThere(word)) word = (word & ~0xffff) | (originOfReplica(into) as u64)
`,
      },
    ],
  }),
  bug(
    'incomplete row not looked up: registers that the database may have newer pass for complete',
    'I12 I13 I14',
    'kernel/assembly/rows.ts',
    'if (!isThere(wordIn(cell)) || timeIn(cell) <= floor) return false',
    'if (!isThere(wordIn(cell))) return false',
  ),
  bug(
    'a row that changes again keeps its place on the list of changes',
    'I6 I12 I13',
    'kernel/assembly/changes.ts',
    'if (before == record || before > getU64(list + READ)) return',
    'if (before != 0) return',
  ),
  bug(
    'off by one: the first change behind a position is skipped',
    'I6 I12 I13',
    'kernel/assembly/changes.ts',
    'if (entryRecord(page, middle) <= position) low = middle + 1',
    'if (entryRecord(page, middle) <= position + 1) low = middle + 1',
  ),
  bug(
    'a DELETE of a row that is not in the cache does nothing',
    'I6 I10 I12 I13',
    'kernel/assembly/rows.ts',
    '  countRecords(replica, 1)\n  if (origin == originOfReplica(replica)) raiseSeen(replica, origin, time)\n  borrow(joined, record, columns)\n',
    '  countRecords(replica, 1)\n  if (!isKnown(record, columns)) return UNCHANGED\n  borrow(joined, record, columns)\n',
  ),
  bug(
    'a merge brings what was only learned from a database',
    'I13 I14',
    'kernel/assembly/merge.ts',
    'const other = loggedRow(from, row)\n',
    'const other = recordAt(from, row)\n',
  ),
  bug(
    'ROLLBACK leaves rows that were not there before',
    'I13',
    'kernel/assembly/compensate.ts',
    'if (!existsIn(before, columns)) return true',
    'if (!existsIn(before, columns)) return false',
  ),
  bug(
    'UNDO restores one column of those that a statement changed',
    'I13',
    'kernel/assembly/compensate.ts',
    `    setCell(cellAt(part, column), 0, content)
    any = true`,
    `    setCell(cellAt(part, column), 0, content)
    return true`,
  ),
  bug(
    'a merge compares keys and the first column, not every column',
    'I6 I12 I13',
    'kernel/assembly/merge.ts',
    'const news = !sameRow(inLog, held, columns)',
    'const news = !sameRow(inLog, held, 1)',
  ),
]
