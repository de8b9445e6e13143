import { joinStamped, rowAt, type StampedRow } from '../../core/batch.ts'
import { bsonOf, documentOf, filterOf, type IncomingRow } from './encode.ts'
import { faultOfCode } from './faults.ts'
import { readTexts } from './read.ts'
import { foreignOf, send, type Writing } from './bulk.ts'

/** Passes over rows that weren't as they were read when they were written. */
const PASSES = 5

/**
 * The join for servers whose updates can't do it: read, join here, and write what changed, guarded by the stamps that
 * were read. A row is done when it is read as it should be.
 */
export async function writeByReading(writing: Writing, rows: readonly IncomingRow[]): Promise<void> {
  const { tally, session, table, check } = writing
  const sent = new Set<number>()
  let left = rows
  for (let pass = 1; left.length > 0; pass++) {
    if (pass > PASSES) throw faultOfCode(112, session.replica)
    await check()
    const found = await readTexts(
      session,
      table,
      left.map((row) => row.key),
    )
    const stored = new Map(found.map((row) => [JSON.stringify(row.key), row]))
    const before = new Set(tally.rejected)
    const changes: Change[] = []
    for (const row of left) {
      const mine = stored.get(JSON.stringify(row.key))
      const joined = joinStamped(mine, rowAt(writing.batch, row.row))
      if (pass === 1 && mine !== undefined) tally.foreign.push(...foreignOf(writing.batch, row, mine))
      if (mine === undefined || !sameStamps(mine, joined)) changes.push({ row, mine, joined })
      else if (sent.has(row.row)) tally.written++
      else tally.stale++
    }
    for (const { row } of changes) sent.add(row.row)
    await insertNew(writing, changes)
    await changeOld(writing, changes)
    const rejected = new Set(tally.rejected.filter((one) => !before.has(one)).map((one) => one.row))
    left = changes.map(({ row }) => row).filter(({ row }) => !rejected.has(row))
  }
}

interface Change {
  readonly row: IncomingRow
  /** As it was read. */
  readonly mine: StampedRow | undefined
  readonly joined: StampedRow
}

function sameStamps(a: StampedRow, b: StampedRow): boolean {
  return a.deleted === b.deleted && a.cells.every((cell, c) => cell?.stamp === b.cells[c]?.stamp)
}

async function insertNew(writing: Writing, changes: readonly Change[]): Promise<void> {
  const fresh = changes.filter(({ mine }) => mine === undefined).map(({ row }) => row)
  if (fresh.length === 0) return
  await send(writing, fresh, (some) => ({
    insert: writing.table.schema.name,
    documents: some.map((row) => documentOf(writing.table.layout, row)),
    ordered: false,
    writeConcern: writing.session.writeConcern,
  }))
}

async function changeOld(writing: Writing, changes: readonly Change[]): Promise<void> {
  const old = new Map(changes.filter(({ mine }) => mine !== undefined).map((change) => [change.row, change]))
  if (old.size === 0) return
  await send(writing, [...old.keys()], (some) => ({
    update: writing.table.schema.name,
    updates: some.map((row) => updateOf(writing, old.get(row)!)),
    ordered: false,
    writeConcern: writing.session.writeConcern,
  }))
}

/** Sets what changed where the stamps are still those that were read. */
function updateOf({ table }: Writing, { row, mine, joined }: Change): { q: unknown; u: unknown } {
  const { layout } = table
  const q = filterOf(table.schema, row, false)
  const set = new Map<string, unknown>()
  const unset = new Map<string, unknown>()
  const guard = (path: string, stamp: string | null) =>
    q.set(path, stamp === null ? { $exists: false } : { $eq: stamp })
  const put = (path: string, value: unknown) => (value === undefined ? unset.set(path, '') : set.set(path, value))
  layout.values.forEach(({ column: { name, type } }, c) => {
    const [before, after] = [mine?.cells[c] ?? null, joined.cells[c] ?? null]
    guard(`stamps.${name}`, before?.stamp ?? null)
    if (before?.stamp === after?.stamp) return
    put(`stamps.${name}`, after?.stamp)
    if (after === null) unset.set(name, '')
    else put(name, after.value !== null ? bsonOf(type, after.value) : type.name === 'json' ? undefined : null)
  })
  guard(`stamps.${layout.deletedName}`, mine?.deleted ?? null)
  if (mine?.deleted !== joined.deleted) put(`stamps.${layout.deletedName}`, joined.deleted ?? undefined)
  const u = new Map<string, unknown>()
  if (set.size > 0) u.set('$set', set)
  if (unset.size > 0) u.set('$unset', unset)
  return { q, u }
}
