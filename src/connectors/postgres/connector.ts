import { MerganserError } from '../../core/errors.ts'
import { postgresCapabilities } from './capabilities.ts'
import { typeSql } from './layout.ts'
import { readUrl, type Target } from './url.ts'
import type { Connector, ConnectorOptions, DiagnoseContext, Finding, OpenContext, ReplicaStore } from '../connector.ts'

/** The options of a replica of type `postgres`, with their defaults. */
export interface PostgresOptions {
  /** `postgres://user:password@host:port/database?sslmode=…`, as libpq reads it. */
  readonly url: string
  /** The password, where it isn't to stand in the url. */
  readonly password?: string
  /** PostgreSQL's schema of the tables (`public`); it must be there. */
  readonly schema: string
  /** Connections that a large write uses (2). */
  readonly connections: number
  /** Time limit of one statement (300), and of connecting (10). */
  readonly statementSeconds: number
  readonly connectSeconds: number
}

const DEFAULTS = { schema: 'public', connections: 2, statementSeconds: 300, connectSeconds: 10 }
const NAMES = ['url', 'password', ...Object.keys(DEFAULTS)]
const NAME_BYTES = 63

function checkOptions(raw: ConnectorOptions): PostgresOptions {
  const bad = (message: string): never => {
    throw new MerganserError('BAD_CONFIG', `postgres: ${message}`)
  }
  for (const name of Object.keys(raw)) {
    if (!NAMES.includes(name)) bad(`there is no option ${name}; there are ${NAMES.join(', ')}`)
  }
  const text = (name: string, value: unknown): string =>
    typeof value === 'string' && value !== '' && !value.includes('\0') ? value : bad(`${name} must be a text`)
  const number = (name: keyof typeof DEFAULTS, least: number, most: number): number => {
    const value = raw[name] ?? DEFAULTS[name]
    if (typeof value === 'number' && value >= least && value <= most) return value
    return bad(`${name} must be a number from ${String(least)} to ${String(most)}`)
  }
  const url = text('url', raw['url'])
  const { connectSeconds } = readUrl(url, {})
  const schema = text('schema', raw['schema'] ?? DEFAULTS.schema)
  if (Buffer.byteLength(schema) > NAME_BYTES) bad(`schema is longer than ${String(NAME_BYTES)} bytes`)
  const connections = number('connections', 1, 16)
  if (!Number.isInteger(connections)) bad('connections must be a whole number')
  return {
    url,
    ...(raw['password'] === undefined ? {} : { password: text('password', raw['password']) }),
    schema,
    connections,
    statementSeconds: number('statementSeconds', 1, 86_400),
    connectSeconds:
      raw['connectSeconds'] === undefined && connectSeconds !== undefined
        ? Math.min(connectSeconds, 3600)
        : number('connectSeconds', 1, 3600),
  }
}

/** Where and how to connect, as options and environment say. */
function targetOf(options: PostgresOptions): Target {
  const target = readUrl(options.url, process.env)
  return options.password === undefined ? target : { ...target, password: options.password }
}

async function open(raw: ConnectorOptions, context: OpenContext): Promise<ReplicaStore> {
  const options = checkOptions(raw)
  const [{ connectTo, isPooled, pooled, unusable }, { PostgresStore }] = await Promise.all([
    import('./connect.ts'),
    import('./store.ts'),
  ])
  const wanted = connectOptions(options, context)
  const { session, facts } = await connectTo(targetOf(options), wanted)
  try {
    const refusal = unusable(facts, wanted)
    if (refusal !== undefined) throw refusal
    if (await isPooled(session, facts, context.signal)) throw pooled(context.replica)
  } catch (error) {
    await session.close()
    throw error
  }
  const { connections } = options
  return await PostgresStore.open(session, postgresCapabilities, context, {
    connections,
    release: () => Promise.resolve(),
  })
}

function connectOptions(options: PostgresOptions, context: OpenContext) {
  return {
    replica: context.replica,
    schema: options.schema,
    access: context.access,
    connectMilliseconds: options.connectSeconds * 1000,
    statementMilliseconds: Math.round(options.statementSeconds * 1000),
    signal: context.signal,
  }
}

async function* diagnose(raw: ConnectorOptions, context: DiagnoseContext): AsyncGenerator<Finding> {
  let target: Target
  let options: PostgresOptions
  try {
    options = checkOptions(raw)
    target = targetOf(options)
  } catch (error) {
    if (!(error instanceof MerganserError)) throw error
    const { message, advice } = error
    yield {
      level: 'problem',
      check: 'options',
      message,
      fault: 'configuration',
      ...(advice === undefined ? {} : { advice }),
    }
    return
  }
  const { findings } = await import('./diagnose.ts')
  yield* findings(target, connectOptions(options, context), context.tables ?? [])
}

/** A PostgreSQL server of the user's, version 12 or newer. */
export const postgres: Connector = {
  type: 'postgres',
  capabilities: postgresCapabilities,
  options: (raw) => ({ ...checkOptions(raw) }),
  open,
  diagnose,
  heldAs: typeSql,
}
