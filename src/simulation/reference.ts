import type { Assignment, Operation } from './operations.ts'
import type { PlainRows } from './rows.ts'
import { sameNormal, shown, type Cell, type PlainRow } from './rows.ts'

/** A record that a replica's log must hold next, of the replica's own. */
export interface ExpectedRecord {
  readonly replica: number
  readonly op: 'set' | 'delete' | 'get'
  readonly table: number
  readonly key: string
  readonly cells: readonly Assignment[]
  readonly stamp: string | undefined
  readonly shows: 'none' | readonly Assignment[] | undefined
}

interface RowChange {
  readonly table: number
  readonly key: string
  readonly before: PlainRow | undefined
  readonly after: PlainRow
}

interface Write {
  readonly replica: number
  readonly changes: readonly RowChange[]
}

/**
 * What the replicas of a session should show, the plain way: whole copies, joins over everything, nothing looked up,
 * nothing asynchronous. Stamps that the session gives are greater than all there were, in the order given.
 */
export class Reference {
  readonly #columns: readonly number[]
  readonly #logs: PlainRows[]
  /** What a replica shows: its log, and what its database held before. */
  readonly #views: PlainRows[]
  #stamps = 0
  #writes: Write[] = []
  #point: PlainRows[] = []
  /** Per replica, the rows in the order first written since the point. */
  #written: Map<string, readonly [number, string]>[] = []

  /**
   * @param columns value columns per table
   * @param logs per replica, what its log holds
   * @param bases per replica, what its database held before its log began
   */
  constructor(columns: readonly number[], logs: readonly PlainRows[], bases: readonly PlainRows[]) {
    this.#columns = columns
    this.#logs = logs.map((rows) => rows.copy())
    this.#views = logs.map((rows, replica) => {
      const view = bases[replica]!.copy()
      view.joinAll(rows)
      return view
    })
    this.#open()
  }

  /** What a GET shows. */
  answer(replica: number, table: number, key: string): 'none' | Assignment[] {
    const cells = shown(this.#views[replica]!.get(table, key), this.#columns[table]!)
    if (cells.every((cell) => cell === undefined)) return 'none'
    return cells.map((cell, column) => ({ column, value: cell?.value ?? null }))
  }

  /** Executes a statement; gives the records that it adds to its replicas' logs, but for those that merges take. */
  execute(operation: Operation): ExpectedRecord[] {
    const { op, replica, other, table, key, cells, stamp } = operation
    switch (op) {
      case 'set':
      case 'delete': {
        this.#wrote(replica, this.#change(replica, table, key, this.#rowOf(operation)))
        return [{ replica, op, table, key, cells, stamp, shows: undefined }]
      }
      case 'get':
        return [{ replica, op, table, key, cells, stamp, shows: this.answer(replica, table, key) }]
      case 'merge':
        this.#merge(replica, other)
        return []
      case 'fullSync':
        for (let from = 1; from < this.#logs.length; from++) this.#merge(0, from)
        for (let into = 1; into < this.#logs.length; into++) this.#merge(into, 0)
        this.#writes = []
        return []
      case 'undo':
        return this.#undo(replica)
      case 'commit':
        this.#open()
        return []
      case 'rollback':
        return this.#rollback()
      default:
        return []
    }
  }

  #rowOf({ op, table, cells, stamp }: Operation): PlainRow {
    const at = stamp ?? this.#next()
    const columns: (Cell | undefined)[] = Array.from({ length: this.#columns[table]! }, () => undefined)
    if (op === 'delete') return { cells: columns, deleted: at }
    for (const { column, value } of cells) columns[column] = { value, stamp: at }
    return { cells: columns, deleted: '' }
  }

  /** Greater than every real stamp, which begins with a digit. */
  #next(): string {
    return `~${String(++this.#stamps).padStart(10, '0')}`
  }

  /** Opening a session is a point. */
  #open(): void {
    this.#writes = []
    this.#point = this.#views.map((rows) => rows.copy())
    this.#written = this.#views.map(() => new Map<string, readonly [number, string]>())
  }

  #merge(into: number, from: number): void {
    const changes: RowChange[] = []
    const log = this.#logs[into]!
    this.#logs[from]!.each((table, key, row) => {
      // Most came by an earlier merge: what is in the log shows already.
      if (log.get(table, key) !== row) changes.push(...this.#change(into, table, key, row))
    })
    this.#wrote(into, changes)
  }

  #change(replica: number, table: number, key: string, row: PlainRow): RowChange[] {
    const before = this.#views[replica]!.get(table, key)
    const after = this.#join(replica, table, key, row)
    return this.#same(table, before, after) ? [] : [{ table, key, before, after }]
  }

  #wrote(replica: number, changes: readonly RowChange[]): void {
    if (changes.length > 0) this.#writes.push({ replica, changes })
  }

  #join(replica: number, table: number, key: string, row: PlainRow): PlainRow {
    const view = this.#views[replica]!
    const before = view.get(table, key)
    this.#logs[replica]!.join(table, key, row)
    const after = view.join(table, key, row)
    if (!this.#same(table, before, after)) {
      const id = `${String(table)} ${key}`
      const written = this.#written[replica]!
      if (!written.has(id)) written.set(id, [table, key])
    }
    return after
  }

  #undo(replica: number): ExpectedRecord[] {
    const at = this.#writes.findLastIndex((write) => replica < 0 || write.replica === replica)
    const [write] = at < 0 ? [] : this.#writes.splice(at, 1)
    if (write === undefined) return []
    return write.changes.flatMap(({ table, key, before, after }) =>
      this.#restore(write.replica, table, key, before, after),
    )
  }

  #rollback(): ExpectedRecord[] {
    const records = this.#written.flatMap((rows, replica) =>
      [...rows.values()].flatMap(([table, key]) => {
        const before = this.#point[replica]!.get(table, key)
        return this.#restore(replica, table, key, before, this.#views[replica]!.get(table, key))
      }),
    )
    this.#open()
    return records
  }

  /** One compensating write. */
  #restore(
    replica: number,
    table: number,
    key: string,
    before: PlainRow | undefined,
    after: PlainRow | undefined,
  ): ExpectedRecord[] {
    const columns = this.#columns[table]!
    const old = shown(before, columns)
    const now = shown(after, columns)
    const gone = old.every((cell) => cell === undefined)
    const cells = old.flatMap((cell, column) =>
      gone || cell?.stamp === now[column]?.stamp ? [] : [{ column, value: cell?.value ?? null }],
    )
    if (!gone && cells.length === 0) return []
    const op = gone ? ('delete' as const) : ('set' as const)
    const row = { op, replica, other: -1, table, key, cells, stamp: undefined, shows: undefined }
    this.#join(replica, table, key, this.#rowOf(row))
    return [row]
  }

  #same(table: number, a: PlainRow | undefined, b: PlainRow | undefined): boolean {
    return sameNormal(a, b, this.#columns[table]!)
  }
}
