import { deserialize, serialize } from 'bson'
import { MerganserError } from '../../core/errors.ts'
import type { TableSchema } from '../../core/table.ts'
import type { StoreMeta } from '../connector.ts'
import { openDocuments, type Documents, type Environment } from './database.ts'
import { shapeOf } from '../documents/layout.ts'

/** Of the layout of the files. */
const FORMAT = 1
export const META_NAME = 'merganser_meta'

const FORMAT_KEY = Buffer.from('format')
const LOG_KEY = Buffer.from('log')
const tableKey = (name: string) => Buffer.from(`table/${name}`)

/** The database `merganser_meta`: the format, what is known of the log, and the shape of each table. */
export class Meta {
  readonly #documents: Documents
  readonly #replica: string

  private constructor(documents: Documents, replica: string) {
    this.#documents = documents
    this.#replica = replica
  }

  /** Throws STATE_FORMAT where a later version wrote the files. Undefined only for reading a file without content. */
  static open(environment: Environment, access: 'write' | 'read', replica: string): Meta | undefined {
    const documents = openDocuments(environment, META_NAME, access === 'write')
    if (documents === undefined) return undefined
    const meta = new Meta(documents, replica)
    const format = meta.#get(FORMAT_KEY)?.['format']
    if (format === undefined && access === 'write') meta.#put(FORMAT_KEY, { format: FORMAT })
    if (format !== undefined && format !== FORMAT) {
      throw new MerganserError('STATE_FORMAT', `the documents of ${replica} are of another format`, {
        place: { replica },
        advice: 'use the version of merganser that wrote them, or a later one',
      })
    }
    return meta
  }

  log(): StoreMeta | undefined {
    const found = this.#get(LOG_KEY)
    if (found === undefined) return undefined
    const { logId, inUse, highWater, position } = found
    return { logId: String(logId), inUse: inUse === true, highWater: String(highWater), position: Number(position) }
  }

  writeLog({ logId, inUse, highWater, position }: StoreMeta): void {
    this.#put(LOG_KEY, { logId, inUse, highWater, position })
  }

  /** Whether the table is there. Throws SCHEMA_MISMATCH where it has another shape. */
  has(table: TableSchema): boolean {
    const found = this.#get(tableKey(table.name))
    if (found === undefined) return false
    const shape = typeof found['shape'] === 'string' ? found['shape'] : 'unknown'
    if (shape === shapeOf(table)) return true
    throw new MerganserError(
      'SCHEMA_MISMATCH',
      `table ${table.name} of ${this.#replica} has the shape ${shape}, not ${shapeOf(table)}`,
      {
        place: { replica: this.#replica, table: table.name },
        advice: 'give the table the shape that it has there, or another name',
      },
    )
  }

  add(table: TableSchema): void {
    this.#put(tableKey(table.name), { shape: shapeOf(table) })
  }

  #get(key: Buffer): Record<string, unknown> | undefined {
    const bytes = this.#documents.getBinary(key)
    return bytes === undefined ? undefined : deserialize(bytes)
  }

  #put(key: Buffer, document: Record<string, unknown>): void {
    // The transaction ends when the call does, unless that gives a promise.
    this.#documents.transactionSync(() => {
      void this.#documents.put(key, Buffer.from(serialize(document)))
    })
  }
}
