import { compareStamps, type Stamp } from '../../../src/core/stamp.ts'

/*
 * What a state should hold, worked out the plain way: whole copies of every replica, no change lists, no shared rows.
 * It keeps the greatest register and tombstone for ever and takes the normal form only to look.
 */

export interface PlainRegister {
  value: string | null
  stamp: Stamp
}
export interface PlainRow {
  registers: (PlainRegister | undefined)[]
  tombstone: Stamp | undefined
}

type Rows = Map<string, PlainRow>

interface PlainWrite {
  readonly replica: number
  readonly before: Rows
  readonly after: Rows
}

const COLUMNS = 2

export function plainText(row: PlainRow | undefined): string {
  if (row === undefined) return 'none'
  const { registers, tombstone } = normal(row)
  const parts = registers.flatMap((register, c) =>
    register === undefined
      ? []
      : [`${'ab'[c]!}=${register.value ?? '\\N'}@${String(register.stamp.time)}${register.stamp.origin}`],
  )
  if (tombstone !== undefined) parts.push(`!${String(tombstone.time)}${tombstone.origin}`)
  return parts.join(' ')
}

export function normal(row: PlainRow): PlainRow {
  const { tombstone } = row
  if (tombstone === undefined) return row
  const registers = row.registers.map((register) =>
    register !== undefined && compareStamps(register.stamp, tombstone) > 0 ? register : undefined,
  )
  return { registers, tombstone: registers.every((register) => register !== undefined) ? undefined : tombstone }
}

function greater(a: PlainRegister | undefined, b: PlainRegister | undefined): PlainRegister | undefined {
  if (a === undefined || b === undefined) return a ?? b
  const order = compareStamps(a.stamp, b.stamp)
  if (order !== 0) return order > 0 ? a : b
  if (a.value === null || b.value === null) return a.value === null ? b : a
  return a.value > b.value ? a : b
}

export class Oracle {
  readonly replicas: Rows[]
  #writes: PlainWrite[] = []
  #commit: Rows[] = []
  /** Keys written since the commit, per replica. */
  #written: Set<string>[] = []

  constructor(replicas: number, start: Rows = new Map()) {
    this.replicas = Array.from({ length: replicas }, () => new Map(start))
    this.commit()
  }

  row(replica: number, key: string): PlainRow | undefined {
    return this.replicas[replica]!.get(key)
  }

  set(replica: number, key: string, cells: readonly (string | null | undefined)[], stamp: Stamp): void {
    const registers = cells.map((value) => (value === undefined ? undefined : { value, stamp }))
    this.#write(replica, new Map([[key, { registers, tombstone: undefined }]]))
  }

  remove(replica: number, key: string, stamp: Stamp): void {
    this.#write(replica, new Map([[key, { registers: [undefined, undefined], tombstone: stamp }]]))
  }

  merge(into: number, from: number): void {
    this.#write(into, this.replicas[from]!)
  }

  fullSync(): void {
    for (let i = 1; i < this.replicas.length; i++) this.merge(0, i)
    for (let i = 1; i < this.replicas.length; i++) this.merge(i, 0)
    this.#writes = []
  }

  commit(): void {
    this.#writes = []
    this.#commit = this.replicas.map((rows) => new Map(rows))
    this.#written = this.replicas.map(() => new Set())
  }

  /** The compensating writes of an UNDO as texts without stamps, per replica; `apply` gives each its stamp. */
  undo(replica: number | undefined, stampOf: (replica: number, key: string) => Stamp): string[] {
    const at = this.#writes.findLastIndex((write) => replica === undefined || write.replica === replica)
    const write = this.#writes[at]
    if (write === undefined) return []
    this.#writes.splice(at, 1)
    const keys = [...write.after.keys()].filter(
      (key) => plainText(write.before.get(key)) !== plainText(write.after.get(key)),
    )
    return keys.flatMap((key) =>
      this.#restore(write.replica, key, write.before.get(key), write.after.get(key)!, stampOf),
    )
  }

  rollback(stampOf: (replica: number, key: string) => Stamp): string[] {
    const texts = this.replicas.flatMap((rows, replica) =>
      [...this.#written[replica]!].flatMap((key) =>
        this.#restore(replica, key, this.#commit[replica]!.get(key), rows.get(key)!, stampOf),
      ),
    )
    this.commit()
    return texts
  }

  #restore(
    replica: number,
    key: string,
    before: PlainRow | undefined,
    after: PlainRow,
    stampOf: (replica: number, key: string) => Stamp,
  ): string[] {
    const old = before === undefined ? [undefined, undefined] : normal(before).registers
    if (old.every((register) => register === undefined)) {
      this.#join(replica, key, { registers: [undefined, undefined], tombstone: stampOf(replica, key) })
      return [`${String(replica)} ${key} deleted`]
    }
    const now = normal(after).registers
    const changed = [...Array(COLUMNS).keys()].filter((c) => {
      const [x, y] = [old[c], now[c]]
      if (x === undefined || y === undefined) return x !== y
      return x.value !== y.value || compareStamps(x.stamp, y.stamp) !== 0
    })
    if (changed.length === 0) return []
    const stamp = stampOf(replica, key)
    const registers = [0, 1].map((c) => (changed.includes(c) ? { value: old[c]?.value ?? null, stamp } : undefined))
    this.#join(replica, key, { registers, tombstone: undefined })
    return [`${String(replica)} ${key} ${changed.map((c) => `${'ab'[c]!}=${old[c]?.value ?? '\\N'}`).join(' ')}`]
  }

  #write(replica: number, rows: Rows): void {
    const before = new Map(this.replicas[replica])
    for (const [key, row] of rows) this.#join(replica, key, row)
    const after = new Map(this.replicas[replica])
    const changed = [...after].filter(([key, row]) => plainText(row) !== plainText(before.get(key)))
    if (changed.length > 0) this.#writes.push({ replica, before, after })
  }

  #join(replica: number, key: string, row: PlainRow): void {
    const mine = this.replicas[replica]!.get(key)
    const tombstones = [mine?.tombstone, row.tombstone].filter((stamp) => stamp !== undefined)
    const joined = {
      registers: [0, 1].map((c) => greater(mine?.registers[c], row.registers[c])),
      tombstone: tombstones.sort(compareStamps).at(-1),
    }
    if (plainText(joined) !== plainText(mine)) this.#written[replica]!.add(key)
    this.replicas[replica]!.set(key, joined)
  }
}
