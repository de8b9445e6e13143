import type { ErrorCode } from '../../src/core/errors.ts'
import type { OwnServer } from '../support/own-server.ts'

/** Options of a replica, as in a configuration. */
export type ReplicaOptions = { readonly type: string } & Readonly<Record<string, unknown>>

/** A real server that every case may do anything to. */
export interface Subject {
  readonly server: OwnServer
  /** Passwords and what else no output may hold. */
  readonly secrets: readonly string[]
  /** A new, empty database on it. */
  database(): Promise<Database>
}

/** A database, and what people do in it past Merganser. */
export interface Database {
  /** The replica's, with short time limits of connecting. */
  readonly options: ReplicaOptions
  /** Short ones of statements too: seconds that a test can wait for. */
  readonly impatient: ReplicaOptions
  /** Options that lead to nothing, by what is wrong with them, and the codes that this may be told with. */
  readonly wrong: Readonly<Record<string, { readonly options: ReplicaOptions; readonly codes: readonly ErrorCode[] }>>
  /** Makes the default table where it isn't, of another shape. */
  misshape(): Promise<void>
  /** Sets a text column of the rows of a table whose key column has a value; stamps stay. */
  change(table: string, key: readonly [column: string, value: string], to: readonly [string, string]): Promise<void>
  /** From now on, or no more, the server refuses rows of the default table whose grade is `refused`. */
  refuse?(refuses: boolean): Promise<void>
}

/** What a kind of server can't hold: a canonical type and a value, as a script writes it. */
export type Misfit = readonly [type: string, value: string]
