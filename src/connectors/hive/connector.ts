import { MerganserError } from '../../core/errors.ts'
import type { Connector, ConnectorOptions, Finding, OpenContext, ReplicaStore } from '../connector.ts'
import { hiveCapabilities } from './capabilities.ts'
import type { StagingWay } from './staging.ts'
import type { HiveOptions } from './store.ts'
import { hiveType } from './types.ts'
import { parseHiveUrl } from './url.ts'

const WAYS: readonly StagingWay[] = ['local', 'webhdfs', 'literals']
const NAMES = ['url', 'staging', 'stagingDirectory', 'webhdfs', 'statementSeconds', 'leaseSeconds', 'compactAfter']
const DEFAULT_LEASE_SECONDS = 30
const DEFAULT_COMPACT_AFTER = 12
/** A renewal takes a busy server a moment: a shorter one would end before that. */
const LEAST_LEASE_SECONDS = 2

/**
 * HiveServer2 from 3.1 on, with ACID tables: a table with stamps beside its values, a view `<table>_live` without them.
 *
 * Options:
 * - `url`: `hive://user:password@host:10000/database?auth=nosasl`.
 * - `staging`: how large batches reach the server. `local`: a Parquet file that HiveServer2 reads from its own disk,
 *   the default where the host is a loopback address; `webhdfs`: such a file, uploaded by HTTP, the default where
 *   `webhdfs` is given; `literals`: in the statement's text, which works everywhere and is slower.
 * - `stagingDirectory`: where the files of `local` are written, by default the system's directory for temporary files.
 * - `webhdfs`: `http://namenode:9870/directory`.
 * - `statementSeconds` (600): time limit of one statement; it is cancelled then.
 * - `leaseSeconds` (30): how long the lock of a session that died keeps others waiting.
 * - `compactAfter` (12): flushes of a table after which its small files are to be put together; 0 leaves that to Hive.
 */
export const hive: Connector = {
  type: 'hive',
  capabilities: hiveCapabilities,
  options: checked,

  async open(options: ConnectorOptions, context: OpenContext): Promise<ReplicaStore> {
    const { HiveStore } = await import('./store.ts')
    return await HiveStore.open(hiveOptions(checked(options)), context)
  },

  async *diagnose(options: ConnectorOptions, context: OpenContext): AsyncGenerator<Finding> {
    const { findings } = await import('./diagnose.ts')
    yield* findings(hiveOptions(checked(options)), context)
  },

  heldAs: hiveType,
}

function bad(message: string): MerganserError {
  return new MerganserError('BAD_CONFIG', `hive: ${message}`)
}

/** Plain options with their defaults. Throws BAD_CONFIG. */
function checked(raw: ConnectorOptions): ConnectorOptions {
  for (const name of Object.keys(raw)) {
    if (!NAMES.includes(name)) throw bad(`there is no option ${name}; there are ${NAMES.join(', ')}`)
  }
  const url = text(raw, 'url')
  if (url === undefined) throw bad('url is missing')
  const { statementMilliseconds } = parseHiveUrl(url)
  const webhdfs = text(raw, 'webhdfs')
  if (webhdfs !== undefined && !(URL.canParse(webhdfs) && /^https?:$/.test(new URL(webhdfs).protocol))) {
    throw bad('webhdfs must be a URL like http://namenode:9870/tmp')
  }
  const staging = raw['staging'] ?? defaultStaging(url, webhdfs)
  if (!WAYS.some((way) => way === staging)) throw bad(`staging must be one of ${WAYS.join(', ')}`)
  if (staging === 'webhdfs' && webhdfs === undefined) throw bad('staging webhdfs needs the option webhdfs')
  const directory = text(raw, 'stagingDirectory')
  return {
    url,
    staging,
    statementSeconds: number(raw, 'statementSeconds', statementMilliseconds / 1000, 1),
    leaseSeconds: number(raw, 'leaseSeconds', DEFAULT_LEASE_SECONDS, LEAST_LEASE_SECONDS),
    compactAfter: number(raw, 'compactAfter', DEFAULT_COMPACT_AFTER, 0),
    ...(webhdfs === undefined ? {} : { webhdfs }),
    ...(directory === undefined ? {} : { stagingDirectory: directory }),
  }
}

function text(raw: ConnectorOptions, name: string): string | undefined {
  const value = raw[name]
  if (value === undefined || (typeof value === 'string' && value !== '')) return value
  throw bad(`${name} must be a text`)
}

function number(raw: ConnectorOptions, name: string, fallback: number, least: number): number {
  const value = raw[name] ?? fallback
  if (typeof value === 'number' && value >= least && value <= 86_400) return value
  throw bad(`${name} must be a number from ${String(least)} to 86400`)
}

function defaultStaging(url: string, webhdfs: string | undefined): StagingWay {
  const host = URL.canParse(url) ? new URL(url).hostname : ''
  if (/^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(host)) return 'local'
  return webhdfs === undefined ? 'literals' : 'webhdfs'
}

function hiveOptions(options: ConnectorOptions): HiveOptions {
  const config = {
    ...parseHiveUrl(String(options['url'])),
    statementMilliseconds: Number(options['statementSeconds']) * 1000,
  }
  return {
    config,
    staging: {
      way: options['staging'] as StagingWay,
      directory: options['stagingDirectory'] as string | undefined,
      webhdfs: options['webhdfs'] as string | undefined,
      user: config.user,
    },
    leaseMilliseconds: Number(options['leaseSeconds']) * 1000,
    compactAfter: Number(options['compactAfter']),
  }
}
