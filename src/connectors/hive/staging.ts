import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RowBatch } from '../../core/batch.ts'
import type { TableSchema } from '../../core/table.ts'
import { literal } from './literals.ts'
import { tablesLike } from './owner.ts'
import { parquetFile } from './parquet.ts'
import type { Session } from './session.ts'
import type { Source } from './statements.ts'
import { remove, upload } from './webhdfs.ts'

/** How rows of a large batch reach the server. */
export type StagingWay = 'local' | 'webhdfs' | 'literals'

export interface StagingOptions {
  readonly way: StagingWay
  /** Where files for `local` are written: the server must see the same directory. */
  readonly directory: string | undefined
  /** `http://namenode:9870/tmp/merganser`, for `webhdfs`: the path is the directory there. */
  readonly webhdfs: string | undefined
  /** `user.name` there. */
  readonly user: string
}

const TABLES = 'merganser_stage_'
const WRITE_BYTES = 4 * 1024 * 1024

/** Drops what a session that died left of its staging. */
export async function dropStaging(session: Session): Promise<void> {
  for (const name of await tablesLike(session, TABLES)) await dropTable(session, name)
}

async function dropTable(session: Session, name: string): Promise<void> {
  await session.execute(`DROP TABLE IF EXISTS ${name} PURGE`)
}

/** Brings batches into staging tables of one session, through Parquet files. */
export class Staging {
  readonly #options: StagingOptions
  readonly #token = randomBytes(6).toString('hex')
  /** Staging tables by the number of their columns. */
  readonly #tables = new Map<number, string>()
  #directory: string | undefined
  #files = 0

  constructor(options: StagingOptions) {
    this.#options = options
  }

  get way(): StagingWay {
    return this.#options.way
  }

  /** Loads rows of a batch; the last batch of this shape is gone. */
  async load(session: Session, table: TableSchema, batch: RowBatch, rows: readonly number[]): Promise<Source> {
    const columns = table.key.length + 2 * table.values.length + 1
    const path = await this.writeFile(batch, rows)
    try {
      const name = await this.#table(session, columns)
      const load = (place: string) => session.execute(`LOAD DATA ${place} OVERWRITE INTO TABLE ${name}`)
      if (this.way === 'local') await load(`LOCAL INPATH ${literal(path)}`)
      else await this.#uploaded(path, (target) => load(`INPATH ${literal(target)}`))
      return { from: name, field: (c) => `f${String(c)}` }
    } finally {
      await rm(path, { force: true })
    }
  }

  async #table(session: Session, columns: number): Promise<string> {
    const known = this.#tables.get(columns)
    if (known !== undefined) return known
    const name = `${TABLES}${this.#token}_${String(columns)}`
    const names = Array.from({ length: columns }, (_, c) => `f${String(c)} string`)
    await session.execute(
      `CREATE EXTERNAL TABLE ${name} (r int, ${names.join(', ')}) STORED AS PARQUET ` +
        "TBLPROPERTIES ('external.table.purge' = 'true', 'parquet.column.index.access' = 'true')",
    )
    this.#tables.set(columns, name)
    return name
  }

  /** Writes rows of a batch as a Parquet file of texts, which a server on this machine may read; gives its path. */
  async writeFile(batch: RowBatch, rows: readonly number[]): Promise<string> {
    const path = join(await this.#place(), `${String(this.#files++)}.parquet`)
    const file = await open(path, 'wx', 0o600)
    try {
      for (const pieces of gathered(parquetFile(batch, rows))) await file.writev(pieces)
    } finally {
      await file.close()
    }
    // Whatever the mask of our own files says, a server on this machine has to read it.
    await chmod(path, this.way === 'local' ? 0o644 : 0o600)
    return path
  }

  /** A directory that others can't list: the names in it are known to the server only. */
  async #place(): Promise<string> {
    if (this.#directory !== undefined) return this.#directory
    const parent = this.way === 'local' ? (this.#options.directory ?? tmpdir()) : tmpdir()
    this.#directory = await mkdtemp(join(parent, 'merganser-hive-'))
    if (this.way === 'local') await chmod(this.#directory, 0o711)
    return this.#directory
  }

  /** Uploads a file for a statement that takes it away; where that fails, it is deleted. */
  async #uploaded(path: string, work: (target: string) => Promise<unknown>): Promise<void> {
    const { webhdfs, user } = this.#options
    const base = new URL(webhdfs!)
    const directory = base.pathname.replace(/\/$/, '') || '/tmp'
    const target = `${decodeURI(directory)}/merganser-${this.#token}-${String(this.#files)}.parquet`
    const call = (query: string) =>
      new URL(`/webhdfs/v1${encodeURI(target)}?user.name=${encodeURIComponent(user)}&${query}`, base)
    try {
      await upload(call('op=CREATE&overwrite=true&permission=644'), path)
      await work(target)
    } catch (error) {
      await remove(call('op=DELETE')).catch(() => undefined)
      throw error
    }
  }

  async close(session: Session): Promise<void> {
    try {
      for (const name of this.#tables.values()) await dropTable(session, name)
    } finally {
      this.#tables.clear()
      await this.removeFiles()
    }
  }

  /** What is on our own disk; for who has no session any more. */
  async removeFiles(): Promise<void> {
    if (this.#directory !== undefined) await rm(this.#directory, { recursive: true, force: true })
    this.#directory = undefined
  }
}

/** Pieces that are worth a call together. */
function* gathered(pieces: Iterable<Buffer>): Generator<Buffer[]> {
  let some: Buffer[] = []
  let bytes = 0
  for (const piece of pieces) {
    some.push(piece)
    bytes += piece.length
    if (bytes < WRITE_BYTES) continue
    yield some
    some = []
    bytes = 0
  }
  if (some.length > 0) yield some
}
