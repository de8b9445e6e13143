import type { KeyBatch, RowBatch, TextColumn } from '../core/batch.ts'
import { ErrorCodes, MerganserError, type ErrorCode, type Place } from '../core/errors.ts'
import { isRoom } from '../core/spare-buffers.ts'
import type { TableSchema } from '../core/table.ts'
import type { ConnectorOptions, KeyRange, Owner, RangeDigest, StoreMeta, WriteResult } from '../connectors/connector.ts'

/*
 * What crosses between a lane and the thread that hosts its store. Every request is answered once, in any order; a
 * scan is pulled batch by batch.
 */

/** What a store is opened with. Plain data. */
export interface OpenRequest {
  readonly type: string
  readonly options: ConnectorOptions
  readonly access: 'write' | 'read'
  readonly owner?: Owner
  readonly directory: string
  readonly replica: string
}

/** The calls by name: what they take and what they give. */
export interface Calls {
  open: { takes: OpenRequest; gives: StoreMeta | undefined }
  greatestStamp: { takes: { tables: readonly TableSchema[] }; gives: string }
  ensureTable: { takes: { table: TableSchema }; gives: undefined }
  readRows: { takes: { table: TableSchema; keys: KeyBatch }; gives: RowBatch }
  writeRows: { takes: { table: TableSchema; batch: RowBatch }; gives: WriteResult }
  writeMeta: { takes: { meta: Omit<StoreMeta, 'logId'> }; gives: undefined }
  digest: { takes: { table: TableSchema; ranges: readonly KeyRange[] }; gives: readonly RangeDigest[] }
  splitKeys: { takes: { table: TableSchema; parts: number }; gives: readonly (readonly string[])[] }
  scanStart: {
    takes: { scan: number; table: TableSchema; afterKey?: readonly string[]; upToKey?: readonly string[] }
    gives: undefined
  }
  /** `spare`: buffers of the batches before, which nobody reads any more. */
  scanNext: { takes: { scan: number; spare: readonly ArrayBuffer[] }; gives: RowBatch | undefined }
  scanStop: { takes: { scan: number }; gives: undefined }
  close: { takes: object; gives: undefined }
}

export type CallName = keyof Calls

export type Request = {
  [Name in CallName]: { readonly id: number; readonly store: number; readonly call: Name } & Calls[Name]['takes']
}[CallName]

export type Response =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: WireError }
  | { readonly id: number; readonly progress: string }

/** An error as plain data; what a client library threw becomes a BUG with its message. */
export interface WireError {
  readonly code: ErrorCode
  readonly message: string
  readonly place: Place
  readonly advice?: string
  readonly stack?: string
}

export function toWire(error: unknown): WireError {
  if (error instanceof MerganserError) {
    const { code, message, place, advice, stack } = error
    return {
      code,
      message,
      place: { ...place },
      ...(advice === undefined ? {} : { advice }),
      ...(stack === undefined ? {} : { stack }),
    }
  }
  const message = error instanceof Error ? error.message : String(error)
  const stack = error instanceof Error ? error.stack : undefined
  return { code: 'BUG', message, place: {}, ...(stack === undefined ? {} : { stack }) }
}

export function fromWire(wire: WireError, replica: string): MerganserError {
  const code = wire.code in ErrorCodes ? wire.code : 'BUG'
  const details = { place: { replica, ...wire.place }, ...(wire.advice === undefined ? {} : { advice: wire.advice }) }
  const error = new MerganserError(code, wire.message, details)
  if (wire.stack !== undefined) error.stack = wire.stack
  return error
}

/**
 * A batch as it crosses to a thread: its bytes only. What lies in shared memory is seen there, not copied. Views of
 * large buffers are cut out, since a clone would take the whole buffer along.
 */
export function portable({ rows, keys, values, stamps, deleted }: RowBatch): RowBatch {
  return {
    rows,
    keys: keys.map(cutOut),
    values: values.map(cutOut),
    stamps: stamps.map(cutOut),
    deleted: cutOut(deleted),
  }
}

function cutOut(column: TextColumn): TextColumn {
  const { bytes, ends, nulls } = column
  if ([bytes, ends, nulls].every((array) => array === undefined || isWhole(array))) return column
  const own = { bytes: isWhole(bytes) ? bytes : bytes.slice(), ends: isWhole(ends) ? ends : ends.slice() }
  return nulls === undefined ? own : { ...own, nulls: isWhole(nulls) ? nulls : nulls.slice() }
}

/** Whether a clone of the view is worth its bytes; shared memory isn't cloned. */
function isWhole({ buffer, byteLength }: Uint8Array | Uint32Array): boolean {
  return !(buffer instanceof ArrayBuffer) || buffer.byteLength <= byteLength * 2 + 1024
}

/** The buffers of a batch that may be given away: those that are nobody else's. */
export function buffersOf(batch: RowBatch): ArrayBuffer[] {
  return allBuffers(
    batch,
    ({ buffer, byteOffset, byteLength }) => isRoom(buffer) || (byteOffset === 0 && byteLength === buffer.byteLength),
  )
}

/** All buffers of a batch that came from a thread: they are nobody else's. */
export function ownBuffers(batch: RowBatch): ArrayBuffer[] {
  return allBuffers(batch, () => true)
}

type Bytes = (Uint8Array | Uint32Array) & { readonly buffer: ArrayBuffer }

function allBuffers(batch: RowBatch, mayGo: (bytes: Bytes) => boolean): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>()
  const add = (array: Uint8Array | Uint32Array | undefined) => {
    if (array === undefined || !(array.buffer instanceof ArrayBuffer) || array.buffer.byteLength === 0) return
    if (mayGo(array as Bytes)) buffers.add(array.buffer)
  }
  const columns: readonly TextColumn[] = [...batch.keys, ...batch.values, ...batch.stamps, batch.deleted]
  for (const column of columns) {
    add(column.bytes)
    add(column.ends)
    add(column.nulls)
  }
  return [...buffers]
}
