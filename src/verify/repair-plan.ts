import type { StampedRow } from '../core/batch.ts'
import type { HybridClock } from '../core/clock.ts'
import type { ReplicaId, TableId } from '../core/state.ts'
import { stampOfText } from '../core/stamped.ts'
import type { Stamp } from '../core/stamp.ts'
import { keyBytes, type TableSchema } from '../core/table.ts'
import { misfit, type Capabilities } from '../connectors/connector.ts'
import type { Catalog } from '../script/catalog.ts'
import { Printer } from '../script/printer.ts'
import { exists, newestStamp } from './classify.ts'
import type { Difference } from './difference.ts'
import { compensation, isNothing, settle, type Choice, type Lack, type SideNumber } from './repair-row.ts'

/** The origin of the stamps of values that were chosen by `--prefer`: no replica of its own clock writes under it. */
export const REPAIR_ORIGIN = 'REPAIR'

export interface PlanSide {
  /** The replica's name, one of the catalog. */
  readonly name: string
  readonly capabilities: Capabilities
}

export interface PlanOptions {
  /** All configured replicas and tables: what the lines of the plan are read with. */
  readonly catalog: Catalog
  readonly table: TableId
  readonly sides: readonly [PlanSide, PlanSide]
  /** Whose values stand where stamps don't settle it. */
  readonly prefer: SideNumber | undefined
  /** For the stamps of such values; the caller starts it above all that it knows of. */
  readonly clock: HybridClock
  /** Longest line in bytes; above it a SET of several columns is written as several. */
  readonly lineBytes: number
}

/** What is done about one difference. Lines are without line ends. */
export interface RowPlan {
  /** Lines of the operation language that bring each side what it lacks; none where nothing can be done. */
  readonly lines: readonly string[]
  /** Lines that restore what each side showed. */
  readonly undo: readonly string[]
  /** Columns that stamps don't settle, and nobody chose. */
  readonly open: readonly number[]
  /** Columns that were settled by the choice. */
  readonly chosen: number
  /** Why a side can't be brought what it lacks; there are no lines then. */
  readonly refused: string | undefined
}

/** What is written to both sides under a new stamp. */
interface NewWrite {
  readonly choices: readonly Choice[]
  readonly stamp: Stamp | undefined
  /** There is to be no row: it is deleted instead. */
  readonly deletes: boolean
}

/** Plans what settles the differences of one table. */
export class RepairPlanner {
  readonly #options: PlanOptions
  readonly #schema: TableSchema
  readonly #printer: Printer
  readonly #replicas: readonly [ReplicaId, ReplicaId]
  readonly #origin: string

  constructor(options: PlanOptions) {
    const { catalog, table, sides } = options
    this.#options = options
    this.#schema = catalog.schema(table)
    this.#printer = new Printer(catalog)
    this.#replicas = [catalog.replica(sides[0].name)!, catalog.replica(sides[1].name)!]
    this.#origin = originFor(catalog)
  }

  plan(difference: Difference): RowPlan {
    const { sides, prefer } = this.#options
    const rows = [difference.left, difference.right] as const
    const { lacks, open, bare, agreed, remains } = settle(difference)
    if (bare && prefer === undefined) return { lines: [], undo: [], open, chosen: 0, refused: undefined }
    const chosen = prefer === undefined ? [] : choicesOf(rows[prefer], open)
    if (chosen.length === 0 && lacks.every(isNothing))
      return { lines: [], undo: [], open, chosen: 0, refused: undefined }
    const choices = [...chosen, ...agreed]
    const write = {
      choices,
      stamp: choices.length === 0 ? undefined : this.#newStamp(rows),
      // Nobody has a row then where the one whose values stand has none.
      deletes: prefer !== undefined && bare && !remains && !exists(rows[prefer]),
    }
    const lines: string[] = []
    const undo: string[] = []
    for (const side of [0, 1] as const) {
      const lack = lacks[side]
      if (isNothing(lack) && choices.length === 0) continue
      const reason = this.#misfit(side, difference.key, lack, choices)
      if (reason !== undefined) {
        const refused = `${sides[side].name} can't hold it exactly: ${reason}`
        return { lines: [], undo: [], open, chosen: 0, refused }
      }
      lines.push(...this.#lines(side, difference.key, lack, write))
      const back = compensation(rows[side], lack, choices)
      if (back !== undefined) undo.push(...this.#undo(side, difference.key, back))
    }
    return { lines, undo, open: prefer === undefined ? open : [], chosen: chosen.length, refused: undefined }
  }

  /** A row as people read it: `grades (SID1,CSE1)`. */
  rowText(key: readonly string[]): string {
    return `${this.#schema.name} ${this.#printer.keyText(this.#options.table, key)}`
  }

  #newStamp(rows: readonly (StampedRow | undefined)[]): Stamp {
    const { clock } = this.#options
    for (const row of rows) {
      const newest = newestStamp(row)
      if (newest !== '') clock.rise(stampOfText(newest).time)
    }
    clock.refresh()
    return { time: clock.next(), origin: this.#origin }
  }

  #lines(side: SideNumber, key: readonly string[], { deleted, sets }: Lack, write: NewWrite): string[] {
    const lines: string[] = []
    if (deleted !== null) lines.push(this.#delete(side, key, stampOfText(deleted)))
    for (const [text, cells] of sets) lines.push(...this.#sets(side, key, cells, stampOfText(text)))
    const { choices, stamp, deletes } = write
    if (stamp === undefined) return lines
    if (deletes) lines.push(this.#delete(side, key, stamp))
    else lines.push(...this.#sets(side, key, choices, stamp))
    return lines
  }

  #undo(side: SideNumber, key: readonly string[], back: readonly Choice[] | 'delete'): string[] {
    return back === 'delete' ? [this.#delete(side, key)] : this.#sets(side, key, back, undefined)
  }

  #delete(side: SideNumber, key: readonly string[], stamp?: Stamp): string {
    const { table } = this.#options
    return this.#printer.deleteLine(this.#replicas[side], table, this.#printer.keyText(table, key), stamp)
  }

  /** A SET of the cells, or one of each where their line would be too long. */
  #sets(side: SideNumber, key: readonly string[], cells: readonly Choice[], stamp: Stamp | undefined): string[] {
    const { table, lineBytes } = this.#options
    const named: (string | null | undefined)[] = this.#schema.values.map(() => undefined)
    for (const { column, value } of cells) named[column] = value
    const text = this.#printer.cellsText(table, named)
    const line = this.#printer.setLine(this.#replicas[side], table, this.#printer.keyText(table, key), text, stamp)
    if (cells.length === 1 || Buffer.byteLength(line) <= lineBytes) return [line]
    return cells.flatMap((cell) => this.#sets(side, key, [cell], stamp))
  }

  /** Why a side's database can't hold what it is to get (I8). */
  #misfit(side: SideNumber, key: readonly string[], { sets }: Lack, choices: readonly Choice[]): string | undefined {
    const { capabilities } = this.#options.sides[side]
    const bytes = keyBytes(this.#schema, key).length
    if (bytes > capabilities.keyBytes) return `the key is longer than ${String(capabilities.keyBytes)} bytes`
    for (const [i, { name, type }] of this.#schema.key.entries()) {
      const reason = misfit(capabilities, type, key[i]!)
      if (reason !== undefined) return `column ${name}: ${reason}`
    }
    for (const { column, value } of [...[...sets.values()].flat(), ...choices]) {
      const { name, type } = this.#schema.values[column]!
      const reason = value === null ? undefined : misfit(capabilities, type, value)
      if (reason !== undefined) return `column ${name}: ${reason}`
    }
    return undefined
  }
}

function choicesOf(preferred: StampedRow | undefined, open: readonly number[]): Choice[] {
  return open.map((column) => ({ column, value: preferred?.cells[column]?.value ?? null }))
}

function originFor(catalog: Catalog): string {
  let origin = REPAIR_ORIGIN
  while (catalog.replicas.includes(origin)) origin += '_'
  return origin
}
