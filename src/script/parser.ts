import type { ReplicaId } from '../core/state.ts'
import { TIME_TEXT_LENGTH } from '../core/stamp.ts'
import type { Catalog } from './catalog.ts'
import { CLASS, CLOSE, COMMA, DASH, DIGIT, DOT, EQUALS, OPEN, OPEN_BRACE } from './characters.ts'
import { brief } from './errors.ts'
import { FastPath } from './fast-path.ts'
import { readArguments, readBraces, readItem } from './items.ts'
import { DEFAULT_LIMITS, type ScriptLimits } from './limits.ts'
import { explainMisfit, failTable, suggest } from './misfit.ts'
import { nearestName } from '../core/nearest.ts'
import { readCall, type RowCall } from './readings.ts'
import { binaryHint, Scanner, type Range } from './scanner.ts'
import { originEnd, originName, StampReader } from './stamps.ts'
import type { Op, Statement } from './statement.ts'
import { ValueReader } from './values.ts'

/** Most digits of a sequence number. */
const MOST_DIGITS = 100

const COMMANDS: readonly (readonly [string, Op])[] = [
  ['FULL_SYNC', 'fullSync'],
  ['SYNC', 'sync'],
  ['UNDO', 'undo'],
  ['COMMIT', 'commit'],
  ['ROLLBACK', 'rollback'],
  ['EXIT', 'exit'],
]
const REPLICA_OPS: readonly (readonly [string, Op])[] = [
  ['SET', 'set'],
  ['GET', 'get'],
  ['DELETE', 'delete'],
  ['MERGE', 'merge'],
  ['SYNC', 'sync'],
  ['UNDO', 'undo'],
]

function find(list: readonly (readonly [string, Op])[], scanner: Scanner, name: Range): Op | undefined {
  return list.find(([word]) => scanner.is(name, word.toLowerCase()))?.[1]
}

const words = (list: readonly (readonly [string, Op])[]) => list.map(([word]) => word)

/**
 * Parses lines of the operation language. This is the language's specification in code; `FastPath` does the common
 * spellings of SET, GET and DELETE in the same way, and a property test holds the two together.
 */
export class LineParser {
  readonly #catalog: Catalog
  readonly #limits: ScriptLimits
  readonly #scanner: Scanner = new Scanner()
  readonly #stamps = new StampReader()
  readonly #values: ValueReader
  readonly #fast: FastPath | undefined
  /** The prefix of the line that is being parsed. */
  #prefixAt = 0
  #time: bigint | undefined
  #origin: string | undefined

  /** @param fast false leaves the fast path out, for the test that compares them */
  constructor(catalog: Catalog, limits: ScriptLimits = DEFAULT_LIMITS, fast = true) {
    this.#catalog = catalog
    this.#limits = limits
    this.#values = new ValueReader(catalog, this.#scanner, limits)
    this.#fast = fast ? new FastPath(catalog, limits, this.#stamps) : undefined
  }

  /**
   * Fills `into` from a line, `end` exclusive and without the line end. Throws a MerganserError with column and text
   * (`located` adds file and line); `into` is a blank line's then.
   */
  parse(line: Buffer, start: number, end: number, into: Statement): void {
    into.clear()
    if (this.#fast?.parse(line, start, end, into) === true) return
    into.clear()
    this.#scanner.begin(line, start, end)
    try {
      this.#line(into)
    } catch (error) {
      into.clear()
      throw error
    }
  }

  #line(into: Statement): void {
    const scanner = this.#scanner
    const length = scanner.end - scanner.start
    if (length > this.#limits.lineBytes) {
      scanner.fail(
        'LIMIT',
        scanner.start,
        `this line has ${String(length)} bytes; at most ${String(this.#limits.lineBytes)} are allowed`,
      )
    }
    scanner.checkUtf8()
    this.#prefix(into)
    if (scanner.peek() !== -1) this.#statement(into)
    if (scanner.peek() !== -1) {
      const advice = scanner.peek() === EQUALS ? 'only GET states what it expects' : undefined
      scanner.unexpected('the end of the line', advice)
    }
    if (this.#time === undefined) return
    if (into.op !== 'set' && into.op !== 'get' && into.op !== 'delete') {
      scanner.fail('BAD_STAMP', this.#prefixAt, 'a stamp stands before SET, DELETE and GET only')
    }
    into.stamp = { time: this.#time, origin: this.#origin ?? this.#catalog.replicaName(into.replica) }
  }

  #prefix(into: Statement): void {
    const scanner = this.#scanner
    this.#time = undefined
    this.#origin = undefined
    const first = scanner.peek()
    if (first === -1 || (CLASS[first]! & DIGIT) === 0) return
    const start = scanner.at
    let at = start
    while (at < scanner.end && (CLASS[scanner.line[at]!]! & DIGIT) !== 0) at++
    if (at < scanner.end && scanner.line[at] === DASH) this.#stampPrefix(start)
    else this.#digitsPrefix(start, at, into)
    if (!scanner.take(COMMA)) scanner.unexpected('"," after the prefix')
  }

  #digitsPrefix(start: number, end: number, into: Statement): void {
    if (end - start > MOST_DIGITS) {
      this.#scanner.fail('LIMIT', start, `a sequence number has at most ${String(MOST_DIGITS)} digits`)
    }
    this.#scanner.at = end
    const text = this.#scanner.text({ start, end })
    const number = Number(text)
    into.sequence = Number.isSafeInteger(number) ? number : BigInt(text)
  }

  #stampPrefix(start: number): void {
    const scanner = this.#scanner
    this.#prefixAt = start
    this.#time = this.#stamps.time(scanner.line, start, scanner.end)
    const at = start + TIME_TEXT_LENGTH
    const end = this.#time === undefined ? -1 : originEnd(scanner.line, at, scanner.end)
    if (end === -1) {
      scanner.fail(
        'BAD_STAMP',
        start,
        'this is no stamp',
        'stamps are written like 2026-11-22 15:11:21.956711651Z or with @ORIGIN behind it, from 1970 to 2262',
      )
    }
    if (end > at) this.#origin = originName(this.#catalog, scanner.line, at + 1, end)
    scanner.at = end
  }

  #statement(into: Statement): void {
    const scanner = this.#scanner
    const name = scanner.name() ?? scanner.unexpected('a replica or a command')
    if (!scanner.take(DOT)) {
      const op = find(COMMANDS, scanner, name) ?? this.#failCommand(name)
      into.op = op
      this.#emptyParentheses()
      return
    }
    into.replica = this.#replica(name)
    const second = scanner.name() ?? scanner.unexpected('an operation or a table')
    if (scanner.take(DOT)) {
      const table = this.#catalog.tableAt(scanner.line, second.start, second.end)
      if (table === -1) failTable(this.#catalog, scanner, second)
      this.#operation(scanner.name() ?? scanner.unexpected('an operation'), table, into)
    } else this.#operation(second, undefined, into)
  }

  #replica(name: Range): ReplicaId {
    const replica = this.#catalog.replicaAt(this.#scanner.line, name.start, name.end)
    if (replica !== -1) return replica
    const text = this.#scanner.text(name)
    const { replicas, aliases } = this.#catalog
    const near = nearestName(text, [...replicas, ...aliases.keys()])
    const advice = near === undefined ? suggest(text, replicas, 'replicas') : `did you mean ${near}?`
    return this.#scanner.fail('UNKNOWN_REPLICA', name.start, `there is no replica ${brief(text)}`, advice)
  }

  #operation(name: Range, table: number | undefined, into: Statement): void {
    const scanner = this.#scanner
    const op = find(REPLICA_OPS, scanner, name) ?? this.#failOperation(name)
    into.op = op
    if (op === 'set' || op === 'get' || op === 'delete') {
      this.#rowOperation(op, table, into)
      return
    }
    if (table !== undefined)
      scanner.fail('SYNTAX', name.start, `${scanner.text(name).toUpperCase()} is about all tables: it takes none`)
    if (op === 'merge') this.#merge(into)
    else this.#emptyParentheses()
  }

  #merge(into: Statement): void {
    const scanner = this.#scanner
    scanner.expect(OPEN, 'a merge is written like HIVE.MERGE(MONGODB)')
    const source = scanner.name() ?? scanner.unexpected('the replica to merge from')
    into.other = this.#replica(source)
    if (into.other === into.replica) {
      const message = `${this.#catalog.replicaName(into.replica)} can't be merged into itself`
      scanner.fail('SAME_REPLICA', source.start, message)
    }
    scanner.expect(CLOSE)
  }

  #rowOperation(op: 'set' | 'get' | 'delete', named: number | undefined, into: Statement): void {
    const scanner = this.#scanner
    scanner.expect(OPEN)
    const call: RowCall = { op, named, replica: this.#catalog.replicaName(into.replica), ...readArguments(scanner) }
    const meant = readCall(this.#catalog, scanner, call) ?? explainMisfit(this.#catalog, scanner, call)
    const schema = this.#catalog.schema(meant.table)
    into.table = meant.table
    this.#values.key(schema, meant.key, into.input)
    if (meant.value !== undefined) {
      const cells = this.#values.cells(meant.table, meant.value, Math.max(meant.column, 0))
      cells.columns.forEach((column, i) => {
        into.input.addCell(column, cells.texts[i]!)
      })
    }
    if (op === 'get' && scanner.take(EQUALS)) this.#expectation(into)
  }

  #expectation(into: Statement): void {
    const scanner = this.#scanner
    const value = scanner.peek() === OPEN_BRACE ? readBraces(scanner) : readItem(scanner)
    if (value.kind === 'bare' && value.text.toLowerCase() === 'none') {
      into.expected = 'none'
      return
    }
    const schema = this.#catalog.schema(into.table)
    if (value.kind !== 'braces' && schema.values.length > 1) {
      const names = schema.values.slice(0, 3).map((column) => `${column.name}: …`)
      const advice = `name the columns, like {${brief(names.join(', '))}}`
      scanner.fail(
        'WRONG_COUNT',
        value.start,
        `table ${schema.name} has ${String(schema.values.length)} value columns: say which one is meant`,
        advice,
      )
    }
    into.expected = this.#values.cells(into.table, value, 0)
  }

  #emptyParentheses(): void {
    const scanner = this.#scanner
    if (scanner.take(OPEN)) scanner.expect(CLOSE, 'this operation takes nothing in its parentheses')
  }

  #failCommand(name: Range): never {
    const scanner = this.#scanner
    const text = scanner.text(name)
    const hint = binaryHint(scanner.line, scanner.start, scanner.end)
    if (hint !== undefined) scanner.fail('SYNTAX', name.start, `${brief(text)} is no command`, hint)
    if (this.#catalog.replicaAt(scanner.line, name.start, name.end) !== -1)
      scanner.unexpected('"." and an operation after the replica')
    if (find(REPLICA_OPS, scanner, name) !== undefined) {
      const advice = `write ${this.#catalog.replicas[0] ?? 'HIVE'}.${text.toUpperCase()}(…)`
      scanner.fail('SYNTAX', name.start, `${text.toUpperCase()} needs a replica before it`, advice)
    }
    const near = nearestName(text, [...words(COMMANDS), ...this.#catalog.replicas, ...words(REPLICA_OPS)])
    const advice =
      near === undefined
        ? `the commands: ${words(COMMANDS).join(', ')}; others stand behind a replica`
        : `did you mean ${near}?`
    return scanner.fail('SYNTAX', name.start, `${brief(text)} is no command`, advice)
  }

  #failOperation(name: Range): never {
    const scanner = this.#scanner
    const text = scanner.text(name)
    if (find(COMMANDS, scanner, name) !== undefined) {
      scanner.fail('SYNTAX', name.start, `${text.toUpperCase()} is about all replicas: it stands alone`)
    }
    const known = words(REPLICA_OPS)
    const table =
      scanner.peek() === OPEN || scanner.peek() === -1
        ? undefined
        : nearestName(
            text,
            this.#catalog.tables.map((one) => one.name),
          )
    const advice = table === undefined ? suggest(text, known, 'operations') : `did you mean ${table}?`
    return scanner.fail('SYNTAX', name.start, `${brief(text)} is no operation of a replica`, advice)
  }
}
