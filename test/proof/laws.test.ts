import { afterAll, describe, expect, test, vi } from 'vitest'
import { batchOf, rowAt, type StampedRow } from '../../src/core/batch.ts'
import { decodeKey, encodeKey } from '../../src/core/key.ts'
import {
  compareValues,
  joinRows,
  laterRegister,
  normalRow,
  sameRow,
  type Register,
  type Row,
} from '../../src/core/row.ts'
import { rowOfStamped, stampedOfRow } from '../../src/core/stamped.ts'
import { compareStamps, parseStamp, stampText, type Stamp } from '../../src/core/stamp.ts'
import { ModelState } from '../../src/core/model/model-state.ts'
import { RowInput, type ReplicaState } from '../../src/core/state.ts'
import type { TableSchema } from '../../src/core/table.ts'
import { keyable, parseValue } from '../../src/core/types.ts'
import { decodePositions, encodePositions, type ReplicaPosition } from '../../src/engine/positions.ts'
import { headerLine, parseHeader, parseSeal, sealEnd, sealStart } from '../../src/oplog/format.ts'
import { ByteBuffer } from '../../src/script/byte-buffer.ts'
import { LogLines } from '../../src/script/log-lines.ts'
import { LineParser } from '../../src/script/parser.ts'
import { printStatement } from '../../src/script/printer.ts'
import { Statement } from '../../src/script/statement.ts'
import { Draws, ensure } from '../core/random.ts'
import { drawRegister, drawRow, drawStamp, VALUES } from '../core/rows.ts'
import { canonical, spelling, string, TYPES } from '../core/values.ts'
import { newKernel } from '../kernel/subjects.ts'
import { CATALOG, EVERYTHING, meaning, PEOPLE, ROOMS } from '../script/support.ts'
import { firstSeed, record, runsOf } from '../support/proof.ts'
import { keyOf, stampOf, takeApart, textOf } from '../../src/connectors/documents/bson-reader.ts'
import { layoutOf } from '../../src/connectors/documents/layout.ts'
import { BatchJoiner } from '../../src/connectors/embedded-documents/batch-joiner.ts'

// Many runs take their time, and so does a busy machine: a hang is seen by other means.
vi.setConfig({ testTimeout: 3_600_000 })

/*
 * The laws that everything else is built on, each over many cases. There are few distinct stamps, so that they tie, and
 * few values, so that equal stamps meet equal and different ones.
 */

const CASES = runsOf({ ci: 100_000, nightly: 5_000_000 })
const FIRST = firstSeed()
const ORIGINS = ['A', 'AB', 'A_', 'B', '_']
const KEYABLE = TYPES.filter(keyable)
const TABLE: TableSchema = {
  name: 't',
  key: [{ name: 'k', type: { name: 'string' } }],
  values: [
    { name: 'a', type: { name: 'string' } },
    { name: 'b', type: { name: 'string' } },
  ],
}

const cases: Record<string, number> = {}
const started = process.cpuUsage()

/** A law: what must hold for every draw. */
function law(name: string, holds: (draws: Draws) => void): void {
  test(name, () => {
    const draws = new Draws(FIRST)
    for (let i = 0; i < CASES; i++) {
      try {
        holds(draws)
      } catch (error) {
        throw new Error(`case ${String(i)} of seed ${String(FIRST)}`, { cause: error })
      }
    }
    cases[name] = CASES
  })
}

afterAll(() => {
  const { user, system } = process.cpuUsage(started)
  const runs = Object.values(cases).reduce((sum, one) => sum + one, 0)
  record({
    name: 'laws of merge, total order, codec round trips',
    invariants: ['I1', 'I2'],
    runs,
    failures: 0,
    firstSeed: FIRST,
    injected: cases,
    figures: { laws: Object.keys(cases).length, 'CPU seconds': Math.round((user + system) / 1e6) },
  })
})

const stamp = (draws: Draws): Stamp => ({
  time: draws.below(2) === 0 ? draws.big(63) : BigInt(draws.below(4)),
  origin: draws.of(ORIGINS),
})

describe('total order', () => {
  law('I1: stamps have one total order, which is that of the bytes of their texts', (draws) => {
    const [a, b, c] = [stamp(draws), stamp(draws), stamp(draws)]
    const order = Math.sign(compareStamps(a, b))
    ensure(order === -Math.sign(compareStamps(b, a)), a, b)
    ensure((order === 0) === (a.time === b.time && a.origin === b.origin), a, b)
    ensure(order === Buffer.compare(Buffer.from(stampText(a)), Buffer.from(stampText(b))), a, b)
    if (order <= 0 && compareStamps(b, c) <= 0) ensure(compareStamps(a, c) <= 0, a, b, c)
  })

  law('I1: of two registers one wins, whichever is asked first, and the winner of three is one', (draws) => {
    const [a, b, c] = [drawRegister(draws), drawRegister(draws), drawRegister(draws)]
    const same = (x: Register | undefined, y: Register | undefined) =>
      x === y || (x?.value === y?.value && x !== undefined && y !== undefined && compareStamps(x.stamp, y.stamp) === 0)
    ensure(same(laterRegister(a, b), laterRegister(b, a)), a, b)
    ensure(same(laterRegister(laterRegister(a, b), c), laterRegister(a, laterRegister(b, c))), a, b, c)
    if (a !== undefined && b !== undefined) ensure(compareValues(a.value, b.value) === -compareValues(b.value, a.value))
  })
})

describe('merge', () => {
  law('I2: the join of rows is commutative, associative and idempotent', (draws) => {
    const [a, b, c] = [drawRow(draws), drawRow(draws), drawRow(draws)]
    const joined = joinRows(a, b)
    ensure(sameRow(joined, joinRows(b, a)), a, b)
    ensure(sameRow(joinRows(joined, c), joinRows(a, joinRows(b, c))), a, b, c)
    ensure(sameRow(joinRows(joined, b), joined) && sameRow(joinRows(a, a), a), a, b)
  })

  const subjects: [string, () => ReplicaState][] = [
    ['model', () => new ModelState()],
    ['kernel', () => newKernel()],
  ]
  test.each(subjects)(
    'I2: merges of replicas give the same rows in every order, and again nothing (%s)',
    (name, make) => {
      const draws = new Draws(FIRST)
      const AT_ONCE = 20_000
      for (let done = 0; done < CASES; done += AT_ONCE) mergesAgree(draws, make, Math.min(AT_ONCE, CASES - done))
      cases[`I2: merges of replicas, ${name}`] = CASES
    },
  )
})

/** Three replicas write the same keys; in one world A takes B then C, in the other C's rows come to A by way of B. */
function mergesAgree(draws: Draws, make: () => ReplicaState, keys: number): void {
  const worlds = [make(), make()]
  const input = new RowInput()
  for (const state of worlds) {
    state.addTable(TABLE)
    for (const name of ['A', 'B', 'C']) state.addReplica(name)
    state.mark('open')
  }
  const wanted = new Map<string, Row>()
  for (let n = 0; n < keys; n++) {
    const key = `k${String(n)}`
    input.setKey(encodeKey([{ name: 'string' }], [key]))
    for (let writes = 2 + draws.below(3); writes > 0; writes--) {
      const replica = draws.below(3)
      const at = drawStamp(draws)
      input.clear()
      if (draws.below(4) === 0) {
        for (const state of worlds) state.remove(replica, 0, input, at)
        wanted.set(key, joinRows(wanted.get(key), normalRow([undefined, undefined], at)))
        continue
      }
      const column = draws.below(2)
      const value = draws.of(VALUES)
      input.addCell(column, value)
      for (const state of worlds) state.set(replica, 0, input, at)
      const registers = [undefined, undefined, undefined]
        .slice(0, 2)
        .map((_, c) => (c === column ? { value, stamp: at } : undefined))
      wanted.set(key, joinRows(wanted.get(key), { registers, tombstone: undefined }))
    }
  }
  const merge = (state: ReplicaState, into: number, from: number) => {
    let rows = 0
    for (let position = 0, done = false; !done;) {
      const result = state.merge(into, from, position, { rows: 4000, bytes: 1e9 }, 10)
      ;({ position, done } = result)
      rows += result.rows
    }
    return rows
  }
  merge(worlds[0]!, 0, 1)
  merge(worlds[0]!, 0, 2)
  merge(worlds[1]!, 1, 2)
  merge(worlds[1]!, 0, 1)
  expect([merge(worlds[0]!, 0, 2), merge(worlds[0]!, 0, 1), merge(worlds[1]!, 0, 1)]).toEqual([0, 0, 0])
  expect(worlds[1]!.digest(0, 0)).toEqual(worlds[0]!.digest(0, 0))
  for (let n = 0; n < keys; n++) {
    const key = `k${String(n)}`
    input.setKey(encodeKey([{ name: 'string' }], [key]))
    for (const state of worlds) {
      const held = state.get(0, 0, input).row
      ensure(held !== undefined && sameRow(held, wanted.get(key)!), key, held, wanted.get(key))
    }
  }
}

describe('codecs', () => {
  law('a stamp reads back from its text', (draws) => {
    const one = stamp(draws)
    const read = parseStamp(stampText(one))
    ensure(read !== undefined && compareStamps(read, one) === 0 && read.origin === one.origin, one, read)
  })

  law('the canonical text of a value is its own canonical text', (draws) => {
    const type = draws.of(TYPES)
    const text = spelling(draws, type)
    const parsed = parseValue(type, text)
    ensure('text' in parsed, type, text, parsed)
    const again = parseValue(type, (parsed as { text: string }).text)
    ensure('text' in again && again.text === (parsed as { text: string }).text, type, text, parsed, again)
  })

  law('I1: a key reads back from its bytes, and equal bytes are equal keys', (draws) => {
    const types = Array.from({ length: 1 + draws.below(3) }, () => draws.of(KEYABLE))
    const a = types.map((type) => canonical(draws, type))
    const b = types.map((type, c) => (draws.below(2) === 0 ? a[c]! : canonical(draws, type)))
    const bytes = encodeKey(types, a)
    ensure(
      decodeKey(types, bytes).every((text, c) => text === a[c]),
      types,
      a,
    )
    ensure(bytes.equals(encodeKey(types, b)) === a.every((text, c) => text === b[c]), types, a, b)
  })

  law('rows read back from a batch', (draws) => {
    const rows = Array.from({ length: 1 + draws.below(3) }, (_, n): StampedRow => stampedRow(draws, `k${String(n)}`))
    const batch = batchOf(TABLE, rows)
    for (const [i, one] of rows.entries()) ensure(sameText(rowAt(batch, i), one), one, rowAt(batch, i))
    ensure(
      rows.every((one) => sameText(stampedOfRow(one.key, rowOfStamped(one)), one)),
      rows,
    )
  })

  const parser = new LineParser(CATALOG)
  const [statement, other] = [new Statement(), new Statement()]
  const log = new LogLines(CATALOG)
  law('a statement reads back from the line that is printed of it, and from its line in the log', (draws) => {
    const line = Buffer.from(lineOf(draws))
    parser.parse(line, 0, line.length, statement)
    const meant = JSON.stringify(meaning(statement), plainBigint)
    const printed = Buffer.from(printStatement(statement, CATALOG))
    parser.parse(printed, 0, printed.length, other)
    ensure(JSON.stringify(meaning(other), plainBigint) === meant, line.toString(), printed.toString())
    if (statement.op !== 'set' && statement.op !== 'delete') return
    const out = new ByteBuffer(256)
    const at = stamp(draws)
    log.write(out, statement, line, at)
    const logged = Buffer.from(out.toString())
    parser.parse(logged, 0, logged.length - 1, other)
    ensure(other.stamp?.time === at.time && other.stamp.origin === at.origin, logged.toString())
    ensure(contentOf(other) === contentOf(statement), line.toString(), logged.toString())
  })

  law('headers and seals of a log read back', (draws) => {
    const number = (bits: number) => Number(draws.big(bits))
    const header = {
      replica: draws.of(ORIGINS),
      logId: draws.digits(16),
      segment: 1 + number(29),
      from: number(49),
      after: number(32),
    }
    ensure(JSON.stringify(parseHeader(headerLine(header), 'x')) === JSON.stringify(header), header)
    const seal = { records: number(49), bytes: 1 + number(48), crc: number(32) }
    const line = Buffer.concat([sealStart(seal.records, seal.bytes), sealEnd(seal.crc)])
    ensure(JSON.stringify(parseSeal(line)) === JSON.stringify(seal), seal)
  })

  law('positions read back', (draws) => {
    const name = () => draws.of(ORIGINS)
    const position: ReplicaPosition = {
      log: draws.digits(16),
      records: draws.below(1e9),
      highWater: draws.big(63),
      flushed: draws.below(1e9),
      opened: draws.below(2) === 0,
      seen: new Map([[name(), { log: draws.digits(4), position: draws.below(1e6) }]]),
      vector: new Map([[name(), draws.big(63)]]),
      quarantined:
        draws.below(2) === 0 ? [] : [{ table: 't', key: string(draws), reason: string(draws), since: draws.below(99) }],
    }
    const text = JSON.stringify(encodePositions(new Map([['A', position]])))
    const read = decodePositions(JSON.parse(text) as ReturnType<typeof encodePositions>, 'x')
    ensure(JSON.stringify(encodePositions(read)) === text, text)
    ensure(read.get('A')!.highWater === position.highWater, text)
  })

  const layout = layoutOf(TABLE)
  law('a row reads back from its document', (draws) => {
    const one = stampedRow(draws, string(draws))
    const joined = new BatchJoiner(layout, batchOf(TABLE, [one])).join(0, undefined)
    if (joined.outcome !== 'changed') {
      ensure(joined.outcome === 'same' && one.deleted === null && one.cells.every((cell) => cell === null), one, joined)
      return
    }
    const document = takeApart(layout, joined.document)
    const cells = TABLE.values.map((column, c) => {
      const at = document.stamps[c]
      if (at === undefined) return null
      return { value: textOf(column.type, document.bytes, document.values[c]), stamp: stampOf(document.bytes, at) }
    })
    const deleted = document.deleted === undefined ? null : stampOf(document.bytes, document.deleted)
    ensure(sameText({ key: keyOf(layout, document), cells, deleted }, one), one, cells)
  })
})

const stampedRow = (draws: Draws, key: string): StampedRow => stampedOfRow([key], drawRow(draws))
const sameText = (a: StampedRow, b: StampedRow) => JSON.stringify(a) === JSON.stringify(b)
/** What a statement says, but for what stands before it. */
const contentOf = (one: Statement) =>
  JSON.stringify({ ...meaning(one), stamp: undefined, sequence: undefined }, plainBigint)
const plainBigint = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)

/** A line in any spelling, over tables of all types. */
function lineOf(draws: Draws): string {
  const schema = draws.of([CATALOG.schema(0), ROOMS, PEOPLE, EVERYTHING])
  const item = (type: Parameters<typeof canonical>[1]) => JSON.stringify(canonical(draws, type))
  const key = schema.key.map(({ type }) => item(type)).join(draws.of([',', ', ', ' ,']))
  const cells = schema.values
    .filter((_, c) => c === 0 || draws.below(2) === 0)
    .map(({ name, type }) => `${name}: ${draws.below(6) === 0 ? '\\N' : item(type)}`)
    .join(', ')
  const head = `${draws.of(['', '17, ', `${stampText(drawStamp(draws))}, `])}${draws.of(['HIVE', 'SQL', 'mongodb'])}.${schema.name}.`
  switch (draws.below(3)) {
    case 0:
      return `${head}SET((${key}), {${cells}})`
    case 1:
      return `${head}delete(${key})`
    default:
      return `${head}GET((${key}))${draws.of(['', ' = none', ' # remark'])}`
  }
}
