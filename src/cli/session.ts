import { resolve } from 'node:path'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/config.ts'
import { MerganserError } from '../core/errors.ts'
import { nearestName } from '../core/nearest.ts'
import type { SessionEvents } from '../engine/events.ts'
import type { Session } from '../engine/session.ts'
import type { TableSchema } from '../core/table.ts'
import type { SetupOptions } from '../index.ts'
import type { ConfigOptions, SessionOptions } from './options.ts'
import type { Shell } from './shell.ts'

/** The configuration that a command works with: the file's or the default one, then the command line's options. */
export async function loadConfiguration(shell: Shell, options: ConfigOptions | SessionOptions): Promise<Config> {
  const { connectorTypes, realEnvironment } = await import('../index.ts')
  const { disk } = realEnvironment()
  const config = await loadConfig({
    cwd: shell.cwd,
    ...(options.config === undefined ? {} : { file: options.config }),
    env: shell.env,
    readFile: (path) => disk.readFile(path),
    types: connectorTypes,
  })
  const workers = 'workers' in options ? options.workers : undefined
  return {
    ...config,
    ...(options.state === undefined ? {} : { state: resolve(shell.cwd, options.state) }),
    ...(workers === undefined ? {} : { workers }),
  }
}

/**
 * Opens a session of the engine, does `work` with it, and closes it whatever happens: on return or rejection its
 * databases, logs and lock are closed. Messages go to standard error unless `events` says otherwise.
 */
export async function withSession<T>(
  shell: Shell,
  config: Config,
  options: Omit<SetupOptions, 'events'> & { readonly events?: Partial<SessionEvents> },
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const [{ sessionSetup }, { openSession }] = await Promise.all([import('../index.ts'), import('../engine/session.ts')])
  const events: SessionEvents = {
    message: (text) => {
      shell.say(text)
    },
    expectationFailed: () => undefined,
    problem: (error) => {
      shell.problem(error)
    },
    ...options.events,
  }
  const session = await openSession(await sessionSetup(config, { ...options, events }))
  let result: T
  try {
    result = await work(session)
  } catch (error) {
    // What went wrong first is what matters; closing often fails for the same reason.
    await session.close().catch((second: unknown) => {
      if (!sameProblem(error, second)) shell.problem(second)
    })
    throw error
  }
  await session.close()
  return result
}

function sameProblem(a: unknown, b: unknown): boolean {
  return a === b || (a instanceof MerganserError && b instanceof MerganserError && a.message === b.message)
}

/** The configured replica of a name or alias, whatever its case. Throws UNKNOWN_REPLICA with the nearest name. */
export function replicaNamed(config: Config, name: string): Config['replicas'][number] {
  const wanted = config.aliases[name.toUpperCase()] ?? name.toUpperCase()
  const found = config.replicas.find((replica) => replica.name === wanted)
  if (found !== undefined) return found
  const known = [...config.replicas.map((replica) => replica.name), ...Object.keys(config.aliases)]
  throw new MerganserError('UNKNOWN_REPLICA', `there is no replica ${name.slice(0, 80)}`, {
    advice: advice(name, known, 'replicas'),
  })
}

/** The configured table of a name, whatever its case; the first one without a name. Throws UNKNOWN_TABLE. */
export function tableNamed(config: Config, name: string | undefined): TableSchema {
  if (name === undefined) return config.tables[0]!
  const found = config.tables.find((table) => table.name.toLowerCase() === name.toLowerCase())
  if (found !== undefined) return found
  const known = config.tables.map((table) => table.name)
  throw new MerganserError('UNKNOWN_TABLE', `there is no table ${name.slice(0, 80)}`, {
    advice: advice(name, known, 'tables'),
  })
}

function advice(name: string, known: readonly string[], what: string): string {
  const near = nearestName(name, known)
  return near === undefined ? `${what}: ${known.join(', ')}` : `did you mean ${near}?`
}
