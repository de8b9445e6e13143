import { MerganserError } from '../core/errors.ts'
import { keyName } from '../core/batch-keys.ts'
import { exists, type Row } from '../core/row.ts'
import { compareStamps, stampText, type Stamp } from '../core/stamp.ts'
import { keyTexts } from '../core/table.ts'
import { misfit } from '../connectors/connector.ts'
import type { ExpectedCells, Statement } from '../script/statement.ts'
import { nextStamp, type EngineContext, type Origin } from './context.ts'
import type { Miss } from './reads.ts'

/** SET and DELETE: a new stamp, or the one that a replayed line keeps. */
export function write(context: EngineContext, statement: Statement, origin: Origin): void {
  const { replica, table, input } = statement
  checkFits(context, statement)
  const stamp = statement.stamp === undefined ? nextStamp(context, replica) : kept(context, statement.stamp)
  const { state, counts } = context
  let outcome
  if (statement.op === 'set') {
    counts.statements.set++
    outcome = state.set(replica, table, input, stamp)
  } else {
    counts.statements.delete++
    outcome = state.remove(replica, table, input, stamp)
  }
  if (outcome === 'twin') {
    counts.twins++
    context.events.message(
      `${context.catalog.replicas[replica]!} ${keyOf(context, statement)}: another value under the stamp ${stampText(stamp)}; the greater one by its bytes stands`,
    )
  }
  context.journal.write(statement, stamp, origin.buffer)
}

/** GET: from the cache where that is all there is, else the database is asked; the statements after it go on. */
export function read(context: EngineContext, statement: Statement, origin: Origin): void {
  const { replica, table, input } = statement
  const { state, counts, journal } = context
  const stamp = statement.stamp === undefined ? nextStamp(context, replica) : kept(context, statement.stamp)
  counts.statements.get++
  const { row, complete } = state.get(replica, table, input)
  if (complete) {
    answered(context, row)
    origin.answer?.(row)
    // Nobody reads what a quiet dry run would show.
    const shown = journal.silent && statement.expected === undefined ? '' : journal.shown(table, row)
    journal.read(statement, stamp, shown, origin.buffer)
    if (statement.expected !== undefined) {
      expect(context, { statement, expected: statement.expected, key: keyOf(context, statement), row, shown, origin })
    }
    return
  }
  counts.lookups++
  const key = keyOf(context, statement)
  const texts = keyTexts(context.catalog.tables[table]!, input.key.subarray(0, input.keyLength))
  const { expected } = statement
  const asked = { key: texts, name: keyName(input.key, input.keyLength), own: row }
  const place = { replica, table }
  const at = { ...origin }
  lookUp(context, place, asked, (found) => {
    answered(context, found)
    at.answer?.(found)
    const shown = journal.shown(table, found)
    journal.readLater(replica, table, key, stamp, shown)
    if (expected !== undefined) expect(context, { statement: place, expected, key, row: found, shown, origin: at })
  })
}

/** Asks the database; `finish` runs where the answer's place in the order is. */
function lookUp(
  context: EngineContext,
  place: { readonly replica: number; readonly table: number },
  asked: Omit<Miss, 'answer'>,
  finish: (row: Row | undefined) => void,
): void {
  const unanswered: { finish: (() => void) | undefined } = { finish: undefined }
  context.sequencer.await(unanswered)
  context.reads.miss(place.replica, place.table, {
    ...asked,
    answer: (row) => {
      unanswered.finish = () => {
        finish(row)
      }
    },
  })
}

function answered(context: EngineContext, row: Row | undefined): void {
  if (exists(row)) context.counts.found++
}

function keyOf({ journal }: EngineContext, { table, input }: Statement): string {
  return journal.keyText(table, input.key.subarray(0, input.keyLength))
}

/** A replayed line's stamp: the clock rises above it. Throws FUTURE_STAMP. */
function kept({ clock }: EngineContext, stamp: Stamp): Stamp {
  clock.observe(stamp.time)
  return stamp
}

/** Throws VALUE_REFUSED where the replica's database can't hold the key or a value exactly (I8). */
function checkFits(context: EngineContext, statement: Statement): void {
  const { replica, table, input, plain, common } = statement
  const { capabilities, name } = context.replicas[replica]!
  const schema = context.catalog.tables[table]!
  const refuse = (column: string, reason: string): never => {
    throw new MerganserError('VALUE_REFUSED', `${name} can't hold this value of ${column} exactly: ${reason}`, {
      place: { replica: name, table: schema.name },
    })
  }
  if (input.keyLength > capabilities.keyBytes) {
    refuse('the key', `longer than ${String(capabilities.keyBytes)} bytes`)
  }
  const bytes = input.count === 0 ? 0 : input.ends[input.count - 1]!
  // Plain text is printable ASCII: only its length could be refused.
  if ((plain || common) && bytes <= capabilities.valueBytes) return
  for (let i = 0; i < input.count; i++) {
    const text = input.cell(i)
    const column = schema.values[input.columns[i]!]!
    const reason = text === null ? undefined : misfit(capabilities, column.type, text)
    if (reason !== undefined) refuse(column.name, reason)
  }
  keyTexts(schema, input.key.subarray(0, input.keyLength)).forEach((text, i) => {
    const column = schema.key[i]!
    const reason = misfit(capabilities, column.type, text)
    if (reason !== undefined) refuse(column.name, reason)
  })
}

interface Expectation {
  readonly statement: { readonly replica: number; readonly table: number }
  readonly expected: 'none' | ExpectedCells
  readonly key: string
  readonly row: Row | undefined
  readonly shown: string
  readonly origin: Origin
}

function expect(context: EngineContext, expectation: Expectation): void {
  const { counts, journal, events } = context
  counts.expectations++
  if (meets(expectation)) return
  counts.expectationsFailed++
  const { statement, expected, key, row, shown, origin } = expectation
  const { replica, table } = statement
  const cells: (string | null | undefined)[] = context.catalog.tables[table]!.values.map(() => undefined)
  if (expected !== 'none') expected.columns.forEach((column, i) => (cells[column] = expected.texts[i]!))
  const stamps = (row?.registers ?? []).flatMap((register) => (register === undefined ? [] : [register.stamp]))
  if (stamps.length === 0 && row?.tombstone !== undefined) stamps.push(row.tombstone)
  events.expectationFailed({
    file: origin.file,
    line: origin.line,
    statement: journal.getText(replica, table, key),
    expected: expected === 'none' ? 'none' : journal.cellsText(table, cells),
    got: shown,
    stamps: [...new Set(stamps.sort(compareStamps).map(stampText))],
  })
}

function meets({ expected, row, shown }: Expectation): boolean {
  if (expected === 'none') return shown === 'none'
  if (row === undefined || shown === 'none') return false
  return expected.columns.every((column, i) => (row.registers[column]?.value ?? null) === expected.texts[i])
}
