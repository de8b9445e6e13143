import { foreignTexts, type Both } from './both.ts'
import { keyTexts, same, sameHeld, sameSet } from './compare.ts'
import { keysOf } from '../../../src/core/batch.ts'
import { keyNumber } from './tables.ts'
import { walkBoth } from './walks.ts'

/** Everything that both hold. */
export function sameWhole(both: Both): void {
  sameRowCount(both)
  for (const replica of both.names.keys()) {
    sameRecords(both, replica)
    sameVector(both, replica)
    sameUnresolved(both, replica, Infinity)
    for (const table of both.tables.keys()) sameDigest(both, replica, table)
    const from = both.forgotten[replica]!
    walkBoth(both, replica, from, 0)
    samePending(both, replica, from)
    sameChanged(both, replica, both.position(replica, 3))
    for (const { table, key } of both.met.values()) sameRow(both, replica, table, key)
    sameRecords(both, replica)
  }
}

/** A row as a GET shows it. */
export function sameRow(both: Both, replica: number, table: number, key: number): void {
  both.fill(table, key)
  const expected = both.model.get(replica, table, both.input)
  const got = both.subject.get(replica, table, both.input)
  sameHeld('the row', expected.row, got.row)
  same('whether the row is complete', expected.complete, got.complete)
}

export function sameRecords(both: Both, replica: number): void {
  const records = both.model.records(replica)
  same('records', records, both.subject.records(replica))
  both.handOut(replica, records)
}

export function sameVector(both: Both, replica: number): void {
  const [expected, got] = [both.model, both.subject].map((state) =>
    [...state.vector(replica)].map(([origin, time]) => `${origin} ${String(time)}`),
  )
  sameSet('the version vector', expected!, got!)
}

export function sameUnresolved(both: Both, replica: number, limit: number): void {
  const all = keyTexts(both.model.unresolved(replica, Infinity))
  const got = keyTexts(both.subject.unresolved(replica, limit))
  if (limit >= all.length) sameSet('unresolved keys', all, got)
  else {
    same('unresolved keys up to a limit', limit, new Set(got).size)
    for (const text of got) same(`whether ${text} is unresolved`, true, all.includes(text))
  }
}

export function sameDigest(both: Both, replica: number, table: number): void {
  const expected = both.model.digest(replica, table)
  const got = both.subject.digest(replica, table)
  same("the digest's rows", expected.rows, got.rows)
  same('the digest', expected.hash, got.hash)
}

/** Of every replica and table. */
export function sameDigests(both: Both): void {
  for (const replica of both.names.keys()) for (const table of both.tables.keys()) sameDigest(both, replica, table)
}

export function sameRowCount(both: Both): void {
  same('rows in memory', both.model.rows(), both.subject.rows())
}

export function sameChanged(both: Both, replica: number, from: number): void {
  same('whether something changed', both.model.changed(replica, from), both.subject.changed(replica, from))
}

export function samePending(both: Both, replica: number, from: number): void {
  same('pending rows', both.model.pending(replica, from).join(), both.subject.pending(replica, from).join())
}

/** Learns rows of a database. */
export function learnBoth(both: Both, replica: number, table: number, keys: readonly number[], seed: number): void {
  const texts = keys.map((key) => keyNumber(both.tables[table]!, key).texts)
  const batch = keysOf(both.schema(table), texts)
  const rows = both.databaseRows(table, texts, seed)
  const got = both.attempt(() => both.subject.learn(replica, table, batch, rows))
  const expected = both.model.learn(replica, table, batch, rows)
  both.learned[replica]!++
  same('the greatest time learned', expected.greatest, got.greatest)
  sameSet('foreign values', foreignTexts(expected.foreign), foreignTexts(got.foreign))
}
