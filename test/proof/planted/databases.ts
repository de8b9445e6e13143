import { bug, bugOf, type Bug } from './bug.ts'

/** Bugs on the way to the databases and back: joins, lanes, flushes, look-ups. */
export const DATABASE_BUGS: readonly Bug[] = [
  bug(
    'no guard: a flush overwrites newer rows',
    'I1 I5',
    'core/batch.ts',
    'const winner = mine === null || (cell !== null && cell.stamp > mine.stamp) ? cell : mine',
    'const winner = cell ?? mine',
  ),
  bug(
    'a value is chosen by >=: the later of two writes under one stamp wins',
    'I15',
    'core/batch.ts',
    'cell.stamp > mine.stamp',
    'cell.stamp >= mine.stamp',
  ),
  bug(
    'a tombstone is dropped early: as soon as one column has outlived it',
    'I1 I5 I6 I10',
    'core/batch.ts',
    'winners.every((cell) => cell !== null)',
    'winners.some((cell) => cell !== null)',
  ),
  bug(
    'lost retry: a write whose connection was lost is taken for done',
    'I1 I6 I12 I13',
    'lanes/lane.ts',
    'const write = before.then(() => this.#attempt((store) => store.writeRows(table, batch)))',
    `let tries = 0
    const done = { written: batch.rows, stale: 0, rejected: [], foreign: [] }
    const write = before.then(() =>
      this.#attempt((store) => (tries++ === 0 ? store.writeRows(table, batch) : Promise.resolve(done))),
    )`,
  ),
  bug(
    'a write that is tried again has lost its last column',
    'I1 I6 I12 I13',
    'lanes/lane.ts',
    'const write = before.then(() => this.#attempt((store) => store.writeRows(table, batch)))',
    `let tries = 0
    const none = { ...batch.stamps.at(-1), nulls: new Uint8Array(batch.rows).fill(1) }
    const again = { ...batch, stamps: [...batch.stamps.slice(0, -1), none] }
    const write = before.then(() => this.#attempt((store) => store.writeRows(table, tries++ === 0 ? batch : again)))`,
  ),
  // Two guards: a lane's writes wait for its reads, and records wait behind GETs that have no answer yet.
  bugOf('a flush is written before earlier reads are answered', 'I13', {
    'lanes/lane.ts': [
      { find: 'const before = Promise.all([...this.#reads, this.#writes])', replace: 'const before = this.#writes' },
    ],
    'engine/pace.ts': [{ find: 'while (log.appended(replica) < record) {', replace: 'while (record < 0) {' }],
  }),
  bug(
    'a reply is taken for that of another request: their numbers begin again after four',
    'I12 I13',
    'lanes/pool.ts',
    'const id = this.#nextId++',
    'const id = this.#nextId++ % 4',
  ),
  bug(
    'calls to a thread that has ended are never answered',
    'I12',
    'lanes/pool.ts',
    'for (const waiting of this.#waiting.values()) waiting.reject(lost(waiting.replica, error))',
    '',
  ),
  bug(
    'position too early: before the database has confirmed the batch',
    'I6',
    'engine/flusher.ts',
    'const writing = this.#write(changes)',
    `this.#position = Math.max(this.#position, changes.upTo)
    const writing = this.#write(changes)`,
  ),
  bug(
    'a position moves past a gap: after a batch that is no prefix',
    'I6',
    'engine/flusher.ts',
    'if (changes.done) this.#position = changes.upTo',
    'this.#position = changes.upTo',
  ),
  bug(
    'a row is flushed before its record is durable',
    'I1 I4 I13',
    'engine/flusher.ts',
    'await durable(replica, changes.records)',
    '',
  ),
  bug(
    'a lane forgets the rows that could not be written',
    'I6 I12 I13',
    'engine/flusher.ts',
    'const { written, stale } = await writing',
    'const { written, stale } = await writing.catch(() => ({ written: 0, stale: 0 }))',
  ),
  bug(
    'the last row of an answer is dropped',
    'I13',
    'engine/reads.ts',
    'for (let i = 0; i < rows.rows; i++) found.set',
    'for (let i = 0; i < rows.rows - 1; i++) found.set',
  ),
  bugOf('look-ups are joined by the first column of the key', 'I8 I13', {
    'engine/reads.ts': [
      {
        find: 'const before = batch.misses.get(miss.name)',
        replace: "const first = miss.name.split('\\0')[0]!\n    const before = batch.misses.get(first)",
      },
      { find: 'batch.misses.set(miss.name, {', replace: 'batch.misses.set(first, {' },
      { find: 'found.set(names.name(i), ', replace: "found.set(names.name(i).split('\\0')[0]!, " },
    ],
  }),
  {
    ...bug(
      'any number of GETs may wait for a database',
      'I11',
      'engine/pace.ts',
      'context.log.full || sequencer.outputFull || sequencer.unanswered >= limits.pendingReads || sequencer.held',
      'context.log.full || sequencer.outputFull || sequencer.held',
    ),
    plan: 'gets',
  },
  bug(
    'a row with a tombstone is taken for absent by a GET',
    'I13',
    'engine/reads.ts',
    'found.set(names.name(i), rowOfStamped(cellsAt(rows, i)))',
    'if (cellsAt(rows, i).deleted === null) found.set(names.name(i), rowOfStamped(cellsAt(rows, i)))',
  ),
  bug(
    'a GET shows what the database holds, without what is not flushed yet',
    'I13',
    'engine/row-statements.ts',
    'name: keyName(input.key, input.keyLength), own: row }',
    'name: keyName(input.key, input.keyLength), own: undefined }',
  ),
  bug(
    'an opening that was cut short passes for one that was done',
    'I13 I14',
    'engine/databases.ts',
    `  await raise(context, adoption, meta, store)
  // Only now: an opening that ends before is as if it had not been.
  adoption.left = { logId, inUse: true, highWater: meta?.highWater ?? '', position: own ? meta.position : 0 }
  keeper.opened[replica] = true`,
    `  adoption.left = { logId, inUse: true, highWater: meta?.highWater ?? '', position: own ? meta.position : 0 }
  keeper.opened[replica] = true
  await raise(context, adoption, meta, store)`,
  ),
]
