/*
 * What replicas of a table `(k) -> (a, b)` should show, the plain way: whole copies, a counter for stamps, joins over
 * everything. It keeps the greatest register and tombstone for ever.
 */

interface Cell {
  readonly value: string | null
  readonly stamp: number
}
interface Row {
  readonly cells: readonly (Cell | undefined)[]
  readonly deleted: number
}
type Rows = Map<string, Row>

interface Write {
  readonly replica: number
  readonly before: Rows
  readonly after: Rows
}

export type Change =
  | {
      readonly op: 'set'
      readonly replica: number
      readonly key: string
      readonly cells: Readonly<Record<string, string | null>>
    }
  | { readonly op: 'delete'; readonly replica: number; readonly key: string }
  | { readonly op: 'merge'; readonly replica: number; readonly other: number }
  | { readonly op: 'undo'; readonly replica: number | undefined }
  | { readonly op: 'fullSync' | 'commit' | 'rollback' | 'sync' }

const COLUMNS = ['a', 'b']
const NONE: Row = { cells: [undefined, undefined], deleted: -1 }

function visible(row: Row | undefined): (Cell | undefined)[] {
  if (row === undefined) return [undefined, undefined]
  return row.cells.map((cell) => (cell !== undefined && cell.stamp > row.deleted ? cell : undefined))
}

function joined(a: Row | undefined, b: Row): Row {
  if (a === undefined) return b
  const cells = a.cells.map((cell, c) => {
    const other = b.cells[c]
    if (cell === undefined || other === undefined) return cell ?? other
    return cell.stamp >= other.stamp ? cell : other
  })
  return { cells, deleted: Math.max(a.deleted, b.deleted) }
}

/** Normal form as text: a row was taken where this changed. */
function text(row: Row | undefined): string {
  const cells = visible(row)
  const tombstone = row === undefined || cells.every((cell) => cell !== undefined) ? -1 : row.deleted
  return JSON.stringify([cells.map((cell) => cell?.stamp ?? null), tombstone])
}

export class Oracle {
  readonly #replicas: Rows[]
  #stamp = 0
  #writes: Write[] = []
  #point: Rows[] = []
  /** Per replica, the keys in the order first written since the point. */
  #written: Set<string>[] = []

  constructor(replicas: number) {
    this.#replicas = Array.from({ length: replicas }, (): Rows => new Map())
    this.open()
  }

  /** Opening a session is a point. */
  open(): void {
    this.#writes = []
    this.#point = this.#replicas.map((rows) => new Map(rows))
    this.#written = this.#replicas.map(() => new Set())
  }

  get(replica: number, key: string): (string | null)[] | undefined {
    const cells = visible(this.#replicas[replica]!.get(key))
    if (cells.every((cell) => cell === undefined)) return undefined
    return cells.map((cell) => cell?.value ?? null)
  }

  rows(replica: number): [string, (string | null)[] | undefined][] {
    return [...this.#replicas[replica]!.keys()].map((key) => [key, this.get(replica, key)])
  }

  execute(change: Change): void {
    switch (change.op) {
      case 'set': {
        const stamp = ++this.#stamp
        const cells = COLUMNS.map((column) =>
          Object.hasOwn(change.cells, column) ? { value: change.cells[column]!, stamp } : undefined,
        )
        this.#write(change.replica, new Map([[change.key, { cells, deleted: -1 }]]))
        break
      }
      case 'delete':
        this.#write(change.replica, new Map([[change.key, { ...NONE, deleted: ++this.#stamp }]]))
        break
      case 'merge':
        this.#write(change.replica, this.#replicas[change.other]!)
        break
      case 'undo':
        this.#undo(change.replica)
        break
      case 'fullSync':
        for (let i = 1; i < this.#replicas.length; i++) this.#write(0, this.#replicas[i]!)
        for (let i = 1; i < this.#replicas.length; i++) this.#write(i, this.#replicas[0]!)
        this.#writes = []
        break
      case 'commit':
        this.open()
        break
      case 'rollback':
        this.#rollback()
        break
      case 'sync':
        break
    }
  }

  #write(replica: number, rows: Rows): void {
    const before = new Map(this.#replicas[replica])
    for (const [key, row] of rows) this.#join(replica, key, row)
    const after = new Map(this.#replicas[replica])
    const changed = [...after.keys()].some((key) => text(before.get(key)) !== text(after.get(key)))
    if (changed) this.#writes.push({ replica, before, after })
  }

  #join(replica: number, key: string, row: Row): void {
    const rows = this.#replicas[replica]!
    const next = joined(rows.get(key), row)
    if (text(next) !== text(rows.get(key))) this.#written[replica]!.add(key)
    rows.set(key, next)
  }

  #undo(replica: number | undefined): void {
    const at = this.#writes.findLastIndex((write) => replica === undefined || write.replica === replica)
    const write = this.#writes[at]
    if (write === undefined) return
    this.#writes.splice(at, 1)
    for (const [key, row] of write.after) {
      if (text(write.before.get(key)) !== text(row)) this.#restore(write.replica, key, write.before.get(key), row)
    }
  }

  #rollback(): void {
    for (const [replica, keys] of this.#written.entries()) {
      for (const key of keys) {
        this.#restore(replica, key, this.#point[replica]!.get(key), this.#replicas[replica]!.get(key))
      }
    }
    this.open()
  }

  #restore(replica: number, key: string, before: Row | undefined, after: Row | undefined): void {
    const [old, now] = [visible(before), visible(after)]
    if (old.every((cell) => cell === undefined)) {
      this.#join(replica, key, { ...NONE, deleted: ++this.#stamp })
      return
    }
    const changed = old.map((cell, c) => cell?.stamp !== now[c]?.stamp)
    if (!changed.includes(true)) return
    const stamp = ++this.#stamp
    const cells = old.map((cell, c) => (changed[c]! ? { value: cell?.value ?? null, stamp } : undefined))
    this.#join(replica, key, { cells, deleted: -1 })
  }
}
