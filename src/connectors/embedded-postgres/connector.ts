import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MerganserError } from '../../core/errors.ts'
import { batchOf } from '../../core/batch.ts'
import { postgresCapabilities } from '../postgres/capabilities.ts'
import { embeddedFindings } from '../findings.ts'
import { typeSql } from '../postgres/layout.ts'
import { dataOf, hasData, preparePlace } from './place.ts'
import { findPostmaster } from './postmaster.ts'
import type { RowBatch } from '../../core/batch.ts'
import type { Connector, ConnectorOptions, OpenContext, ReplicaStore } from '../connector.ts'

/** How long a server whose process died may take to stop: its guard asks it to at once. */
const SETTLE_MILLISECONDS = 15_000
const CONNECT_MILLISECONDS = 10_000
const DEFAULT_STATEMENT_SECONDS = 300
const DEFAULT_SYSTEM_DIRECTORY = '/var/lib/merganser'

/**
 * The options of a replica of type `embedded-postgres`, with their defaults:
 * - `statementSeconds` (300): time limit of one statement.
 * - `systemUser` (MERGANSER_POSTGRES_USER): where Merganser runs as root, the server runs as this system user instead
 *   of in a user namespace. Without it, it does so only where user namespaces are forbidden, as `postgres` or `nobody`.
 * - `systemDirectory` (MERGANSER_POSTGRES_DIRECTORY, /var/lib/merganser): where data and programs of such a server are.
 */
interface EmbeddedOptions {
  readonly statementSeconds: number
  readonly systemUser?: string
  readonly systemDirectory: string
}

const NAMES = ['statementSeconds', 'systemUser', 'systemDirectory']

function checkOptions(raw: ConnectorOptions): EmbeddedOptions {
  const bad = (message: string): never => {
    throw new MerganserError('BAD_CONFIG', `embedded-postgres: ${message}`)
  }
  for (const name of Object.keys(raw)) {
    if (!NAMES.includes(name)) bad(`there is no option ${name}; there are ${NAMES.join(', ')}`)
  }
  const text = (name: string, fallback: string | undefined): string | undefined => {
    const value = raw[name] ?? fallback
    if (value === undefined || (typeof value === 'string' && value !== '')) return value
    return bad(`${name} must be a text`)
  }
  const statementSeconds = raw['statementSeconds'] ?? DEFAULT_STATEMENT_SECONDS
  if (typeof statementSeconds !== 'number' || !(statementSeconds >= 1 && statementSeconds <= 86_400)) {
    return bad('statementSeconds must be a number from 1 to 86400')
  }
  const systemUser = text('systemUser', process.env['MERGANSER_POSTGRES_USER'] || undefined)
  const systemDirectory = text(
    'systemDirectory',
    process.env['MERGANSER_POSTGRES_DIRECTORY'] || DEFAULT_SYSTEM_DIRECTORY,
  )
  return {
    statementSeconds,
    systemDirectory: resolve(systemDirectory ?? DEFAULT_SYSTEM_DIRECTORY),
    ...(systemUser === undefined ? {} : { systemUser }),
  }
}

async function open(raw: ConnectorOptions, context: OpenContext): Promise<ReplicaStore> {
  const options = checkOptions(raw)
  if (context.access === 'read' && !(await hasData(context.directory))) return nothing
  const [{ useServer, SERVER_DATABASE, SERVER_USER }, { PostgresStore }, { Session }] = await Promise.all([
    import('./server.ts'),
    import('../postgres/store.ts'),
    import('../postgres/session.ts'),
  ])
  const { systemUser, systemDirectory } = options
  const place = await preparePlace(context.directory, { systemUser, systemDirectory })
  const server = await useServer(place, context)
  const session = {
    host: server.host,
    port: server.port,
    user: SERVER_USER,
    database: SERVER_DATABASE,
    replica: context.replica,
    connectMilliseconds: CONNECT_MILLISECONDS,
    statementMilliseconds: options.statementSeconds * 1000,
  }
  try {
    return await PostgresStore.open(await Session.connect(session), postgresCapabilities, context, {
      release: () => server.release(),
    })
  } catch (error) {
    await server.release()
    throw error
  }
}

const writing = (): Promise<never> => {
  return Promise.reject(new MerganserError('BUG', 'a store that was opened for reading is written to'))
}

/** A database that isn't there yet, opened for reading. */
const nothing: ReplicaStore = {
  meta: undefined,
  greatestStamp: () => Promise.resolve(''),
  readRows: (table) => Promise.resolve(batchOf(table, [])),
  scanRows: () => noRows(),
  digest: (_, ranges) => Promise.resolve(ranges.map(() => ({ rows: 0, sums: [0n, 0n] }))),
  splitKeys: () => Promise.resolve([]),
  ensureTable: writing,
  writeRows: writing,
  writeMeta: writing,
  close: () => Promise.resolve(),
}

async function* noRows(): AsyncGenerator<RowBatch> {
  // There is nothing to give.
}

/**
 * A real PostgreSQL server out of an npm package, its data in the replica's directory, reached over a private socket.
 * Started when it is first opened; stopped when the last one that uses it ends, in whatever way.
 */
async function settled(directory: string): Promise<void> {
  const data = await dataOf(directory)
  if (data === undefined) return
  const until = performance.now() + SETTLE_MILLISECONDS
  while ((await findPostmaster(data)) !== undefined) {
    if (performance.now() > until) {
      throw new MerganserError('DATABASE_LOCKED', 'a PostgreSQL server still runs there', {
        place: { file: directory },
        advice: 'another Merganser may be reading from it; wait for it to end',
      })
    }
    await sleep(50)
  }
}

export const embeddedPostgres: Connector = {
  type: 'embedded-postgres',
  capabilities: postgresCapabilities,
  options: (raw) => ({ ...checkOptions(raw) }),
  absent: async (_, directory) => !(await hasData(directory)),
  diagnose(options, context) {
    return embeddedFindings(this, options, context, {
      version: async () => `PostgreSQL ${(await (await import('./binaries.ts')).findBinaries()).version}`,
    })
  },
  heldAs: typeSql,
  settled,
  open,
}
