import type { KeyBatch, RowBatch } from '../core/batch.ts'
import type { TableSchema } from '../core/table.ts'
import type { ColumnType } from '../core/types.ts'

/**
 * What the engine must know of a kind of database before it is connected: which canonical values it holds exactly.
 * Plain data, so that a value can be refused before it is acknowledged (I8).
 */
export interface Capabilities {
  /** Text may hold U+0000. */
  readonly nulInText: boolean
  /** float64: NaN and the infinities; the sign of -0. */
  readonly nonFinite: boolean
  readonly negativeZero: boolean
  /** Digits of a second that a timestamp keeps. */
  readonly timestampDigits: number
  /** Years that dates and timestamps may have. */
  readonly minYear: number
  readonly maxYear: number
  /** Where columns of timestamps with more than six digits of a second have fewer years: the first and the last. */
  readonly nanosecondYears?: readonly [number, number]
  /** false: timestamps of the last second before 1970 have no fraction there. */
  readonly fractionBeforeEpoch?: false
  /** JSON may hold \u0000 in its strings; in the names of its members. */
  readonly nulInJson: boolean
  readonly nulInJsonNames: boolean
  /** Levels of arrays and objects that JSON may have; any number where it isn't said. */
  readonly jsonDepth?: number
  /** Significant digits of a decimal, zeros at both ends not counted. The canonical decimal has up to 38. */
  readonly decimalDigits: number
  /** Longest canonical key and longest value, in bytes. */
  readonly keyBytes: number
  readonly valueBytes: number
  /** Other processes may read while a session writes. */
  readonly sharedReads: boolean
  /** Types of which the database itself works out exactly the text that digests are made of (`core/row-digest.ts`). */
  readonly digests?: readonly ColumnType['name'][]
  /** The largest batch of a write that it likes; undefined where the engine's own bounds do. */
  readonly batch?: BatchBounds
}

/** Rows of one write, and bytes of their texts: of memory on the way, a few times as much is needed. */
export interface BatchBounds {
  readonly rows: number
  readonly bytes: number
}

/** What most databases like: large batches, but what comes behind shouldn't wait for long. */
const BATCH: BatchBounds = { rows: 100_000, bytes: 16 * 1024 * 1024 }

/** How much a write into a database of these capabilities has at the most. */
export function batchBounds({ batch = BATCH }: Capabilities): BatchBounds {
  return batch
}

/** Why a database of these capabilities can't hold a value exactly; undefined where it can. */
export function misfit(capabilities: Capabilities, type: ColumnType, text: string): string | undefined {
  if (text.length * 3 > capabilities.valueBytes && Buffer.byteLength(text) > capabilities.valueBytes) {
    return `longer than ${String(capabilities.valueBytes)} bytes`
  }
  switch (type.name) {
    case 'string':
      return !capabilities.nulInText && text.includes('\0') ? 'its text columns hold no U+0000' : undefined
    case 'json':
      return jsonMisfit(capabilities, text)
    case 'decimal':
      return text.length > capabilities.decimalDigits && significantDigits(text) > capabilities.decimalDigits
        ? `its decimals hold ${String(capabilities.decimalDigits)} digits`
        : undefined
    case 'float64':
      if (!capabilities.nonFinite && /^(?:NaN|-?Infinity)$/.test(text)) return `its numbers hold no ${text}`
      return !capabilities.negativeZero && text === '-0' ? 'its numbers hold no -0' : undefined
    case 'timestamp': {
      const digits = text.length > 20 ? text.length - 21 : 0
      if (digits > capabilities.timestampDigits) {
        return `its timestamps hold ${String(capabilities.timestampDigits)} digits of a second`
      }
      if (capabilities.fractionBeforeEpoch === false && text.startsWith('1969-12-31 23:59:59.')) {
        return 'its timestamps of the last second before 1970 have no fraction'
      }
      return nanosecondMisfit(capabilities, type, text) ?? yearMisfit(capabilities, text)
    }
    case 'date':
      return yearMisfit(capabilities, text)
    default:
      return undefined
  }
}

/**
 * Whether a database of these capabilities surely holds every common value of a type, but for its length: printable
 * ASCII text, numbers in plain digits (decimals of 15 at most), dates and times of the years 1970 to 2261 to the
 * millisecond. What is more, `misfit` must be asked for.
 */
export function holdsCommon(capabilities: Capabilities, type: ColumnType): boolean {
  const { decimalDigits, negativeZero, timestampDigits, nanosecondYears, minYear, maxYear } = capabilities
  const holds = ([first, last]: readonly [number, number]) => first <= 1970 && last >= 2261
  switch (type.name) {
    case 'decimal':
      return decimalDigits >= 15
    case 'float64':
      return negativeZero
    case 'json':
      return capabilities.jsonDepth === undefined
    case 'date':
      return holds([minYear, maxYear])
    case 'timestamp': {
      const fine = nanosecondYears === undefined || (type.scale ?? 9) <= 6 || holds(nanosecondYears)
      return fine && timestampDigits >= 3 && holds([minYear, maxYear])
    }
    default:
      return true
  }
}

function jsonMisfit(capabilities: Capabilities, text: string): string | undefined {
  const { jsonDepth } = capabilities
  if (jsonDepth !== undefined && text.length > 2 * jsonDepth && depthOf(text) > jsonDepth) {
    return `its JSON has ${String(jsonDepth)} levels`
  }
  if (!text.includes('\\u0000') || !/(?:^|[^\\])(?:\\\\)*\\u0000/.test(text)) return undefined
  if (!capabilities.nulInJson) return 'its JSON holds no \\u0000'
  return !capabilities.nulInJsonNames && namesHoldNul(JSON.parse(text))
    ? 'the names in its JSON hold no \\u0000'
    : undefined
}

/** Levels of arrays and objects in a JSON text. */
function depthOf(text: string): number {
  let depth = 0
  let most = 0
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[{\]}]/g)) {
    if (token === '[' || token === '{') most = Math.max(most, ++depth)
    else if (token === ']' || token === '}') depth--
  }
  return most
}

function namesHoldNul(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).some(([name, member]) => name.includes('\0') || namesHoldNul(member))
}

function significantDigits(text: string): number {
  return text.replace(/[-.]/g, '').replace(/^0+|0+$/g, '').length
}

function nanosecondMisfit(capabilities: Capabilities, type: ColumnType, text: string): string | undefined {
  const years = capabilities.nanosecondYears
  if (years === undefined || (type.scale ?? 9) <= 6) return undefined
  const year = Number(text.slice(0, 4))
  if (year >= years[0] && year <= years[1]) return undefined
  return `its timestamps with nanoseconds are from year ${String(years[0])} to ${String(years[1])}; timestamp(6) has all years`
}

function yearMisfit(capabilities: Capabilities, text: string): string | undefined {
  const year = Number(text.slice(0, 4))
  if (year >= capabilities.minYear && year <= capabilities.maxYear) return undefined
  return `its dates are from year ${String(capabilities.minYear)} to ${String(capabilities.maxYear)}`
}

/** Keys of a table behind `after` (exclusive) up to `upTo` (inclusive), in key order; without a bound, all there are. */
export interface KeyRange {
  readonly after?: readonly string[]
  readonly upTo?: readonly string[]
}

/** The digest of a range of rows, as `core/row-digest.ts` defines it: equal for equal rows, in whatever order they come. */
export interface RangeDigest {
  /** Rows that there are, tombstones included. */
  readonly rows: number
  /** The sums of the first and of the second 32 bits of the rows' digests. */
  readonly sums: readonly [bigint, bigint]
}

/** What `diagnose` found; in the order of the checks. */
export interface Finding {
  /** 'ok': as it should be. 'warning': it will work, but. 'problem': a session can't work with it. */
  readonly level: 'ok' | 'warning' | 'problem'
  /** A short name that stays the same: `reach`, `version`, `privileges`, `clock`, `lock`, `staging`. */
  readonly check: string
  /** What was found, without secrets. */
  readonly message: string
  /** What to do about it. */
  readonly advice?: string
  /** Of a problem: whether the input is wrong or the database; decides the exit status. 'database' where it isn't said. */
  readonly fault?: 'configuration' | 'database'
}

/** What a database knows about the log that owns it: one row of the table `merganser_meta`. */
export interface StoreMeta {
  /** The id of the oplog whose rows it holds. */
  readonly logId: string
  /** Whether that log had it open when this was read: it wasn't closed in order. */
  readonly inUse: boolean
  /** Greatest stamp text that it may hold; '' for none. Meaningful only if it was closed in order. */
  readonly highWater: string
  /** It holds the log up to this record. */
  readonly position: number
}

/** Who opens a store for writing. */
export interface Owner {
  readonly logId: string
  /** For messages: `pid 4711 on host`. */
  readonly name: string
  /**
   * Of one session of the process: who opens a store again in the same session takes over the lock that a thread of it
   * left when it died.
   */
  readonly session?: string
}

export interface OpenContext {
  /** 'read': no lock, nothing created, nothing written; a database that isn't there reads as empty. */
  readonly access: 'write' | 'read'
  /** Required for 'write': takes the owner's lock (I9) and marks the database as in use by this log. */
  readonly owner?: Owner
  /** Where an embedded database keeps its files: a directory of the replica's own, perhaps not there yet. */
  readonly directory: string
  /** The replica's name, for messages. */
  readonly replica: string
  /** Gives up waiting. */
  readonly signal?: AbortSignal
  /** Something worth showing while it takes time: "waiting for the lock of pid 4711". */
  readonly progress?: (message: string) => void
}

/** What a database is looked at with. */
export interface DiagnoseContext extends OpenContext {
  /** Those that it is to hold, by their names in it. */
  readonly tables?: readonly TableSchema[]
}

/** Plain, validated, cloneable options of one replica: it is opened in a worker thread. */
export type ConnectorOptions = Readonly<Record<string, unknown>>

/** A kind of database. Describes; does no I/O until `open`. */
export interface Connector {
  /** As in the configuration: `embedded-postgres`. */
  readonly type: string
  readonly capabilities: Capabilities
  /** Throws MerganserError BAD_CONFIG where the options of a replica of this type are wrong. Fills in defaults. */
  options(raw: ConnectorOptions): ConnectorOptions
  /**
   * Whether the database is known, without connecting, to hold nothing yet. Absent for servers.
   * An embedded one that was never opened isn't started only to be asked.
   */
  absent?(options: ConnectorOptions, directory: string): Promise<boolean>
  /**
   * Resolves when nothing that a dead process left uses the replica's directory any more, so that it may be moved.
   * Throws DATABASE_LOCKED where something goes on using it. Absent where nothing outlives its process.
   */
  settled?(directory: string): Promise<void>
  /**
   * Connects. Idempotent where it creates something. Throws DATABASE_LOCKED where another owner holds it, after waiting
   * for one that is still stopping; CONNECTION_LOST or DATABASE_UNREACHABLE where it can't be reached within its time
   * limit; DATABASE_REFUSED where it refuses (password, privilege, version).
   */
  open(options: ConnectorOptions, context: OpenContext): Promise<ReplicaStore>
  /**
   * Looks at the database for `merganser doctor`: reach, version, privileges, settings, clock, locks held, ways of
   * staging. Leaves nothing behind, takes no lock. What goes wrong is a finding; it throws nothing but the signal's reason.
   */
  diagnose?(options: ConnectorOptions, context: DiagnoseContext): AsyncIterable<Finding>
  /** The database's own type that holds values of a canonical type, for the documentation: `double precision`. */
  heldAs?(type: ColumnType): string
}

export interface WriteResult {
  /** Rows that changed the database. */
  readonly written: number
  /** Rows whose join changed nothing: it holds the same or newer. */
  readonly stale: number
  /** Rows that the database can't hold (I8): index in the batch and why, without the value. */
  readonly rejected: readonly { readonly row: number; readonly reason: string }[]
  /** Registers met with an equal stamp and another value (I15): index in the batch, value column number. */
  readonly foreign: readonly { readonly row: number; readonly column: number }[]
}

/** A predicate of `query` and `diff`; the same in every database: by the order of canonical values, never by collation. */
export interface Condition {
  readonly column: string
  readonly operator: '=' | '!=' | '<' | '<=' | '>' | '>='
  /** Canonical text. */
  readonly value: string
}

/**
 * One open database, used by one thread; thin. After any error of a connection it is closed and another one opened:
 * every method may then be repeated.
 */
export interface ReplicaStore {
  /** What it knew about its log when it was opened, before it was marked as in use; undefined for a new one. */
  readonly meta: StoreMeta | undefined
  /** The greatest stamp text in any of the tables; '' for none. A scan: only for a database whose owner is unknown. */
  greatestStamp(tables: readonly TableSchema[]): Promise<string>
  /** Creates the table where it isn't there; throws SCHEMA_MISMATCH where it has another shape. Idempotent. */
  ensureTable(table: TableSchema): Promise<void>
  /** The rows of those keys that are there, tombstones included, in any order. A missing table reads as empty. */
  readRows(table: TableSchema, keys: KeyBatch): Promise<RowBatch>
  /**
   * All rows in key order (strings by UTF-8 bytes, other types by value), after a key where one is given, tombstones
   * included. A missing table reads as empty. Each batch stays valid when the next one is asked for. Rows behind
   * `upToKey` may be left out, but need not be: who gives it passes over them.
   */
  scanRows(table: TableSchema, afterKey?: readonly string[], upToKey?: readonly string[]): AsyncIterable<RowBatch>
  /**
   * The digest of each range, worked out by the database. Only for tables all of whose types are among
   * `capabilities.digests`. A missing table is empty.
   */
  digest?(table: TableSchema, ranges: readonly KeyRange[]): Promise<readonly RangeDigest[]>
  /**
   * At most `parts - 1` rising keys that cut the table into about equal parts; fewer, or none, where it is small or
   * that would cost more than it is worth.
   */
  splitKeys?(table: TableSchema, parts: number): Promise<readonly (readonly string[])[]>
  /**
   * Joins the rows, each key at most once in a batch: per column the greater of the stored and the incoming stamp, the
   * greater tombstone, then normal form. A register never goes back to a smaller stamp (I5). Idempotent; durable on
   * return. Rejected rows are left out, the rest goes on. The batch may lie in memory that others see too, so that
   * `TextDecoder` refuses it (`Buffer.toString` doesn't), and is read no more once the promise has settled.
   */
  writeRows(table: TableSchema, batch: RowBatch): Promise<WriteResult>
  /** Records how far the log is in the database; `inUse: false` at the end of an orderly session. */
  writeMeta(meta: Omit<StoreMeta, 'logId'>): Promise<void>
  /** Closes, releases the lock, stops what `open` started. Idempotent; a call still running fails with STORE_CLOSED. */
  close(): Promise<void>
}
