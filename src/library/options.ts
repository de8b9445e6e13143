import { resolve } from 'node:path'
import {
  DEFAULT_DURABILITY,
  DEFAULT_LIMITS,
  DEFAULT_REPLICAS,
  DEFAULT_RETRY,
  DEFAULT_WORKERS,
  defaultAliases,
  type Config,
  type Durability,
  type Limits,
  type ReplicaConfig,
} from '../config/config.ts'
import { nameProblem, tableNameProblem } from '../config/names.ts'
import { MerganserError } from '../core/errors.ts'
import { renamesProblem } from '../core/renames.ts'
import { checkSchema, type Column, type TableSchema } from '../core/table.ts'
import { parseType } from '../core/types.ts'
import type { SessionEvents } from '../engine/events.ts'

/** Tables as a program writes them: columns in order, each with the spelling of its type. */
export type TableShapes = Readonly<
  Record<string, { readonly key: Readonly<Record<string, string>>; readonly values: Readonly<Record<string, string>> }>
>

export interface SessionOptions<Tables extends TableShapes> {
  readonly tables: Tables
  /** By name; without them the three embedded ones: HIVE, POSTGRESQL and MONGODB. */
  readonly replicas?: Readonly<Record<string, { readonly type: string } & Readonly<Record<string, unknown>>>>
  /** The state directory; `.merganser` by default. */
  readonly state?: string
  readonly workers?: number
  readonly limits?: Partial<Limits>
  readonly durability?: Partial<Durability>
  readonly retrySeconds?: number
  /** Nothing is written anywhere. */
  readonly dryRun?: boolean
  /** False: oplogs are written, the databases get the rows another time. */
  readonly flush?: boolean
  /** Archives the old state first. */
  readonly fresh?: boolean
  /** Goes on with what damaged or missing oplogs left, and says what is missing. */
  readonly acceptLoss?: boolean
  /** Messages for people: a torn tail, a foreign value, a lock that is waited for. Nowhere by default. */
  readonly onMessage?: (text: string) => void
}

function columns(table: string, shape: Readonly<Record<string, string>>): Column[] {
  return Object.entries(shape).map(([name, spelling]) => {
    const type = parseType(spelling)
    if (type === undefined) {
      throw new MerganserError('BAD_SCHEMA', `table ${table}, column ${name}: there is no type ${spelling}`, {
        place: { table },
      })
    }
    return { name, type }
  })
}

function checkNumbers(what: string, known: Readonly<Record<string, number>>, given: object | undefined): void {
  for (const [name, value] of Object.entries(given ?? {})) {
    if (!Object.hasOwn(known, name)) throw new MerganserError('BAD_CONFIG', `${what}: there is no ${name.slice(0, 80)}`)
    if (!Number.isSafeInteger(value) || Number(value) < 0) {
      throw new MerganserError('BAD_CONFIG', `${what}.${name}: expected a whole number, not negative`)
    }
  }
}

function checkRenames(tables: readonly TableSchema[], { name, options }: ReplicaConfig): void {
  const problem = options['tables'] === undefined ? undefined : renamesProblem(tables, options['tables'])
  if (problem === undefined) return
  throw new MerganserError('BAD_CONFIG', `replica ${name}: ${problem.message}`, {
    place: { replica: name },
    ...(problem.advice === undefined ? {} : { advice: problem.advice }),
  })
}

interface Flags {
  readonly dryRun: boolean
  readonly flush: boolean
  readonly fresh: boolean
  readonly acceptLoss: boolean
}

/** The configuration that a program's options stand for. Throws BAD_SCHEMA, BAD_CONFIG. */
export function configOf<Tables extends TableShapes>(
  options: SessionOptions<Tables>,
): { config: Config; events: SessionEvents; flags: Flags } {
  const tables = Object.entries(options.tables).map(([name, { key, values }]) =>
    checkSchema({ name, key: columns(name, key), values: columns(name, values) }),
  )
  const misnamed = tableNameProblem(tables.map(({ name }) => name))
  if (misnamed !== undefined) {
    throw new MerganserError('BAD_SCHEMA', `table ${misnamed.name.slice(0, 80)}: ${misnamed.problem}`)
  }
  if (tables.length === 0) throw new MerganserError('BAD_SCHEMA', 'a session needs a table')
  const replicas =
    options.replicas === undefined
      ? DEFAULT_REPLICAS
      : Object.entries(options.replicas).map(([name, { type, ...rest }]) => {
          return { name: name.toUpperCase(), type, options: rest, hidden: [] }
        })
  const seen = new Set<string>()
  for (const { name } of replicas) {
    const problem = nameProblem(name, seen)
    if (problem !== undefined) throw new MerganserError('BAD_CONFIG', `replica ${name.slice(0, 80)}: ${problem}`)
    seen.add(name)
  }
  if (replicas.length === 0) throw new MerganserError('BAD_CONFIG', 'a session needs a replica')
  for (const replica of replicas) checkRenames(tables, replica)
  checkNumbers('limits', { ...DEFAULT_LIMITS }, options.limits)
  checkNumbers('durability', { ...DEFAULT_DURABILITY }, options.durability)
  const { workers = DEFAULT_WORKERS, retrySeconds = DEFAULT_RETRY.seconds } = options
  checkNumbers('options', { workers, retrySeconds }, { workers, retrySeconds })
  if (workers === 0) throw new MerganserError('BAD_CONFIG', 'workers: at least one is needed')
  const message = options.onMessage ?? (() => undefined)
  return {
    config: {
      file: undefined,
      tables,
      replicas,
      aliases: defaultAliases(replicas),
      workers,
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      durability: { ...DEFAULT_DURABILITY, ...options.durability },
      retry: { seconds: retrySeconds },
      state: resolve(options.state ?? '.merganser'),
    },
    events: {
      message,
      expectationFailed: () => undefined,
      problem: () => undefined,
    },
    flags: {
      dryRun: options.dryRun ?? false,
      flush: options.flush ?? true,
      fresh: options.fresh ?? false,
      acceptLoss: options.acceptLoss ?? false,
    },
  }
}
