import { joinRows, type Row } from '../row.ts'

/** What a row was before and after one write. Incomplete while the database may know more (I14). */
export interface Image {
  readonly row: number
  before: Row | undefined
  after: Row
  complete: boolean
}

/** A write that takes several steps: a merge. */
export interface Write {
  readonly sequence: number
  readonly images: Image[]
}

/** The last write of a replica. */
export interface LastWrite {
  readonly replica: number
  readonly sequence: number
  readonly images: readonly Image[]
}

/** The rows of one replica as they were at the last commit, in the order in which they were first written since. */
class FirstImages {
  readonly order: number[] = []
  /** By row; undefined where it was not written since, null where there was no row. */
  readonly #before: (Row | null | undefined)[] = []
  readonly #incomplete = new Set<number>()

  /** Notes a row's image where it is the first. */
  note(row: number, before: Row | undefined, complete: boolean): void {
    const images = this.#before
    if (images[row] !== undefined) return
    while (images.length < row) images.push(undefined)
    images[row] = before ?? null
    this.order.push(row)
    if (!complete) this.#incomplete.add(row)
  }

  before(row: number): Row | undefined {
    return this.#before[row] ?? undefined
  }

  incomplete(row: number): boolean {
    return this.#incomplete.has(row)
  }

  learn(row: number, found: Row | undefined): void {
    if (!this.#incomplete.delete(row)) return
    if (found !== undefined) this.#before[row] = joinRows(this.before(row), found)
  }

  clear(): void {
    for (const row of this.order) this.#before[row] = undefined
    this.order.length = 0
    this.#incomplete.clear()
  }
}

/**
 * What a session can take back: the last writes, for UNDO, and each row's image at the last commit, for ROLLBACK. Rows
 * never change in place, so an image is two references. Writes stand in a ring of columns, so that a SET allocates
 * nothing here.
 */
export class UndoLog {
  readonly #mostWrites: number
  readonly #mostRows: number
  /** By sequence number modulo `mostWrites`. A write of one complete row has no images. */
  readonly #replicaOf: number[] = []
  readonly #rowOf: number[] = []
  readonly #before: (Row | undefined)[] = []
  readonly #after: (Row | undefined)[] = []
  readonly #images: (Image[] | undefined)[] = []
  /** The sequence number of the same replica's write before, -1 for none. */
  readonly #previous: number[] = []
  /** Per replica, the sequence number of its last write. */
  readonly #last: number[] = []
  readonly #first: FirstImages[] = []
  /** Per replica, images of writes that wait for a look-up, by row. */
  readonly #pending: Map<number, Image[]>[] = []
  #next = 0
  /** Writes before this one are forgotten. */
  #oldest = 0
  #rows = 0

  constructor(mostWrites: number, mostRows: number) {
    this.#mostWrites = mostWrites
    this.#mostRows = mostRows
  }

  addReplica(): void {
    this.#last.push(-1)
    this.#first.push(new FirstImages())
    this.#pending.push(new Map())
  }

  /** Notes a write of one row. */
  one(replica: number, row: number, before: Row | undefined, after: Row, complete: boolean): void {
    this.#first[replica]!.note(row, before, complete)
    if (this.#mostWrites === 0) return
    if (!complete) {
      this.#add(this.begin(replica), replica, { row, before, after, complete })
      return
    }
    const slot = this.#push(replica)
    this.#rowOf[slot] = row
    this.#before[slot] = before
    this.#after[slot] = after
    this.#images[slot] = undefined
    this.#rows++
    this.#evict()
  }

  /** Begins a write of any number of rows; `note` adds them. */
  begin(replica: number): Write {
    const images: Image[] = []
    const sequence = this.#next
    if (this.#mostWrites > 0) this.#images[this.#push(replica)] = images
    this.#evict()
    return { sequence, images }
  }

  /** Notes that a row changed; without a write (a compensation) only ROLLBACK can reach it. */
  note(
    write: Write | undefined,
    replica: number,
    row: number,
    before: Row | undefined,
    after: Row,
    complete: boolean,
  ): void {
    this.#first[replica]!.note(row, before, complete)
    if (write !== undefined) this.#add(write, replica, { row, before, after, complete })
  }

  /** Completes the images of a row that was looked up; `found` is what the database held. */
  learn(replica: number, row: number, found: Row | undefined): void {
    this.#first[replica]!.learn(row, found)
    const images = this.#pending[replica]!.get(row)
    if (images === undefined) return
    for (const image of images) {
      image.complete = true
      if (found === undefined) continue
      image.before = joinRows(image.before, found)
      image.after = joinRows(image.after, found)
    }
    this.#pending[replica]!.delete(row)
  }

  /** Whether an UNDO or ROLLBACK could reach an image of the row that was not completed yet. */
  pending(replica: number, row: number): boolean {
    return this.#first[replica]!.incomplete(row) || this.#pending[replica]!.has(row)
  }

  /** The last write of a replica, or of all. */
  last(replica: number | undefined): LastWrite | undefined {
    const sequence = replica === undefined ? Math.max(...this.#last) : this.#last[replica]!
    if (sequence < this.#oldest) return undefined
    const slot = sequence % this.#mostWrites
    const images = this.#images[slot] ?? [
      { row: this.#rowOf[slot]!, before: this.#before[slot], after: this.#after[slot]!, complete: true },
    ]
    return { replica: this.#replicaOf[slot]!, sequence, images }
  }

  /** Takes the last write of a replica off. */
  pop(replica: number): void {
    const sequence = this.#last[replica]!
    if (sequence < this.#oldest) return
    const slot = sequence % this.#mostWrites
    this.#last[replica] = this.#previous[slot]!
    this.#release(slot)
  }

  /** Images at the last commit, in the order in which the rows were first written since. */
  *sinceCommit(replica: number): Generator<Omit<Image, 'after'>> {
    const first = this.#first[replica]!
    for (const row of first.order) yield { row, before: first.before(row), complete: !first.incomplete(row) }
  }

  /** UNDO reaches back to here. */
  clearWrites(): void {
    while (this.#oldest < this.#next) this.#forgetOldest()
    for (const pending of this.#pending) pending.clear()
  }

  /** ROLLBACK reaches back to here, and UNDO too. */
  commit(): void {
    this.clearWrites()
    for (const first of this.#first) first.clear()
  }

  /** Makes room in the ring; gives the slot. */
  #push(replica: number): number {
    if (this.#next - this.#oldest === this.#mostWrites) this.#forgetOldest()
    const slot = this.#next % this.#mostWrites
    this.#replicaOf[slot] = replica
    this.#previous[slot] = this.#last[replica]!
    this.#last[replica] = this.#next++
    return slot
  }

  #add(write: Write, replica: number, image: Image): void {
    write.images.push(image)
    if (write.sequence < this.#oldest || this.#mostWrites === 0) return
    this.#rows++
    if (!image.complete) this.#await(replica, image)
    this.#evict()
  }

  #await(replica: number, image: Image): void {
    const pending = this.#pending[replica]!
    const images = pending.get(image.row)
    if (images === undefined) pending.set(image.row, [image])
    else images.push(image)
  }

  /** An image that no UNDO reaches any more needs no look-up. */
  #abandon(replica: number, image: Image): void {
    if (image.complete) return
    const pending = this.#pending[replica]!
    const left = pending.get(image.row)?.filter((other) => other !== image) ?? []
    if (left.length > 0) pending.set(image.row, left)
    else pending.delete(image.row)
  }

  /** Forgets the oldest writes until the rows' limit holds; never the newest. */
  #evict(): void {
    while (this.#rows > this.#mostRows && this.#oldest < this.#next - 1) this.#forgetOldest()
  }

  #forgetOldest(): void {
    const slot = this.#oldest++ % this.#mostWrites
    if (this.#replicaOf[slot] !== -1) this.#release(slot)
  }

  #release(slot: number): void {
    const images = this.#images[slot]
    this.#rows -= images?.length ?? 1
    if (images !== undefined) for (const image of images) this.#abandon(this.#replicaOf[slot]!, image)
    this.#replicaOf[slot] = -1
    this.#before[slot] = undefined
    this.#after[slot] = undefined
    this.#images[slot] = undefined
  }
}
