import { compareBytes, TextReader } from '../../core/text-reader.ts'
import type { RowBatch } from '../../core/batch.ts'
import { misfit } from '../connector.ts'
import { takeApart, type Element, type StoredDocument } from '../documents/bson-reader.ts'
import { BsonWriter } from '../documents/bson-writer.ts'
import { capabilities, MAX_DOCUMENT_BYTES } from '../documents/capabilities.ts'
import { ID, STAMPS, type Field, type Layout } from '../documents/layout.ts'

/** Where a register or the tombstone of a joined row comes from. */
type Source = 'stored' | 'incoming' | undefined

export type Joined =
  | { readonly outcome: 'changed'; readonly document: Buffer }
  | { readonly outcome: 'same' }
  | { readonly outcome: 'rejected'; readonly reason: string }

const SAME = { outcome: 'same' } as const

interface ValueColumn {
  readonly field: Field
  readonly values: TextReader
  readonly stamps: TextReader
  /** Whether `misfit` has to look at each value, not at its length only. */
  readonly checked: boolean
}

/**
 * The join (`joinStamped`) of a batch's rows with stored documents, on bytes: what wins is copied as it is, and a row
 * that changes nothing costs a comparison of its stamps.
 */
export class BatchJoiner {
  readonly #layout: Layout
  readonly #keys: readonly { readonly field: Field; readonly texts: TextReader }[]
  readonly #columns: readonly ValueColumn[]
  readonly #deleted: TextReader
  readonly #writer = new BsonWriter()
  readonly #value = new BsonWriter()
  readonly #sources: Source[]
  /** Registers of the last joined row that had an equal stamp and another value (I15). */
  readonly foreign: number[] = []

  constructor(layout: Layout, batch: RowBatch) {
    this.#layout = layout
    this.#keys = layout.key.map((field, c) => ({ field, texts: new TextReader(batch.keys[c]!) }))
    this.#columns = layout.values.map((field, c) => ({
      field,
      values: new TextReader(batch.values[c]!),
      stamps: new TextReader(batch.stamps[c]!),
      checked: ['json', 'decimal'].includes(field.column.type.name),
    }))
    this.#deleted = new TextReader(batch.deleted)
    this.#sources = new Array<Source>(layout.values.length).fill(undefined)
  }

  /** Joins a row with the stored document of its key, whose bytes may go on behind it. The joined document is valid until the next call. */
  join(row: number, bytes: Buffer | undefined): Joined {
    this.foreign.length = 0
    const reason = this.#misfit(row)
    if (reason !== undefined) return { outcome: 'rejected', reason }
    const stored = bytes === undefined ? undefined : takeApart(this.#layout, bytes)
    const { deleted, changed } = this.#decide(row, stored)
    if (!changed) return SAME
    const document = this.#write(row, stored, deleted)
    if (document.length <= MAX_DOCUMENT_BYTES) return { outcome: 'changed', document }
    return { outcome: 'rejected', reason: `its documents hold ${String(MAX_DOCUMENT_BYTES)} bytes` }
  }

  #misfit(row: number): string | undefined {
    for (const { field, texts } of this.#keys) {
      const { type } = field.column
      const reason = type.name === 'decimal' ? misfit(capabilities, type, texts.text(row)) : undefined
      if (reason !== undefined) return reason
    }
    for (const { field, values, checked } of this.#columns) {
      if (!checked && values.end(row) - values.start(row) <= capabilities.valueBytes) continue
      const reason = values.isNull(row) ? undefined : misfit(capabilities, field.column.type, values.text(row))
      if (reason !== undefined) return reason
    }
    return undefined
  }

  /** Fills in where each register comes from, in normal form; whether that differs from what is stored. */
  #decide(row: number, stored: StoredDocument | undefined): { deleted: Source; changed: boolean } {
    const later = this.#laterTombstone(row, stored)
    let changed = false
    let outlived = true
    for (let c = 0; c < this.#columns.length; c++) {
      const winner = this.#laterRegister(row, c, stored)
      const alive = winner !== undefined && !this.#hidden(row, c, winner, later, stored) ? winner : undefined
      this.#sources[c] = alive
      if (alive === undefined) outlived = false
      if (alive === 'incoming' || (alive === undefined && stored?.stamps[c] !== undefined)) changed = true
    }
    const deleted = outlived ? undefined : later
    if (deleted === 'incoming' || (deleted === undefined && stored?.deleted !== undefined)) changed = true
    return { deleted, changed }
  }

  #laterTombstone(row: number, stored: StoredDocument | undefined): Source {
    const mine = stored?.deleted
    if (this.#deleted.isNull(row)) return mine === undefined ? undefined : 'stored'
    return mine === undefined || compareStamp(this.#deleted, row, stored!, mine) > 0 ? 'incoming' : 'stored'
  }

  #laterRegister(row: number, c: number, stored: StoredDocument | undefined): Source {
    const { stamps } = this.#columns[c]!
    const mine = stored?.stamps[c]
    if (stamps.isNull(row)) return mine === undefined ? undefined : 'stored'
    if (mine === undefined) return 'incoming'
    const order = compareStamp(stamps, row, stored!, mine)
    if (order === 0 && !this.#sameValue(row, c, stored!)) this.foreign.push(c)
    return order > 0 ? 'incoming' : 'stored'
  }

  /** Whether a register is not newer than the tombstone. */
  #hidden(row: number, c: number, winner: Source, deleted: Source, stored: StoredDocument | undefined): boolean {
    if (deleted === undefined) return false
    const { stamps } = this.#columns[c]!
    const a = winner === 'incoming' ? runOf(stamps, row) : runOfStamp(stored!, stored!.stamps[c]!)
    const b = deleted === 'incoming' ? runOf(this.#deleted, row) : runOfStamp(stored!, stored!.deleted!)
    return compareBytes(...a, ...b) <= 0
  }

  /** One value has one form in BSON, so its element's bytes tell. */
  #sameValue(row: number, c: number, stored: StoredDocument): boolean {
    const mine = stored.values[c]
    const writer = this.#value
    writer.reset()
    this.#writeValue(writer, row, c)
    if (mine === undefined) return writer.length === 0
    return compareBytes(writer.bytes, 0, writer.length, stored.bytes, mine.start, mine.offset + mine.length) === 0
  }

  #write(row: number, stored: StoredDocument | undefined, deleted: Source): Buffer {
    const writer = this.#writer
    writer.reset()
    const document = writer.begin()
    const id = writer.beginElement(ID)
    for (const { field, texts } of this.#keys) writer.value(field.column.type, field.name, ...runOf(texts, row))
    writer.end(id)
    // The key columns once more, as fields of the row: people ask for them.
    writer.raw(writer.bytes, id + 4, writer.length - 1)
    this.#columns.forEach((_, c) => {
      if (this.#sources[c] === 'incoming') this.#writeValue(writer, row, c)
      else if (this.#sources[c] === 'stored') copyElement(writer, stored!, stored!.values[c])
    })
    const stamps = writer.beginElement(STAMPS)
    this.#columns.forEach(({ field, stamps }, c) => {
      if (this.#sources[c] === 'incoming') writer.string(field.name, ...runOf(stamps, row))
      else if (this.#sources[c] === 'stored') copyElement(writer, stored!, stored!.stamps[c])
    })
    if (deleted === 'incoming') writer.string(this.#layout.deleted, ...runOf(this.#deleted, row))
    else if (deleted === 'stored') copyElement(writer, stored!, stored!.deleted)
    writer.end(stamps)
    writer.end(document)
    return writer.written()
  }

  #writeValue(writer: BsonWriter, row: number, c: number): void {
    const { field, values } = this.#columns[c]!
    const { type } = field.column
    if (!values.isNull(row)) writer.value(type, field.name, ...runOf(values, row))
    else if (type.name !== 'json') writer.null(field.name)
  }
}

type Run = readonly [bytes: Buffer, start: number, end: number]

function runOf(texts: TextReader, row: number): Run {
  return [texts.bytes, texts.start(row), texts.end(row)]
}

/** A string element's text: behind its length, without its zero byte. */
function runOfStamp({ bytes }: StoredDocument, { offset, length }: Element): Run {
  return [bytes, offset + 4, offset + length - 1]
}

function compareStamp(texts: TextReader, row: number, stored: StoredDocument, stamp: Element): number {
  return compareBytes(...runOf(texts, row), ...runOfStamp(stored, stamp))
}

function copyElement(writer: BsonWriter, { bytes }: StoredDocument, found: Element | undefined): void {
  if (found !== undefined) writer.raw(bytes, found.start, found.offset + found.length)
}
