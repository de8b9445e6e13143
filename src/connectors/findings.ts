import { MerganserError } from '../core/errors.ts'
import { roomOf } from '../environment/node-space.ts'
import type { Connector, ConnectorOptions, Finding, OpenContext } from './connector.ts'

/*
 * What connectors tell `merganser doctor` in the same words. Nothing here throws: what goes wrong is a finding.
 */

/** Less free space than this is told of; less than the second is a problem. */
const LITTLE_SPACE = 1024 ** 3
const NO_SPACE = 32 * 1024 ** 2

const CONFIGURATION = new Set(['BAD_CONFIG', 'BAD_SCHEMA', 'USAGE'])

export function ok(check: string, message: string): Finding {
  return { level: 'ok', check, message }
}

/** An error as a problem; of what isn't one of ours, only the kind. */
export function problem(check: string, error: unknown): Finding {
  if (!(error instanceof MerganserError)) {
    const kind = error instanceof Error ? ('code' in error ? String(error.code) : error.name) : 'unknown'
    return { level: 'problem', check, message: `it failed: ${kind}`, fault: 'database' }
  }
  const { message, advice, code } = error
  const fault = CONFIGURATION.has(code) ? 'configuration' : 'database'
  return { level: 'problem', check, message, fault, ...(advice === undefined ? {} : { advice }) }
}

/** Whether an embedded database's directory can be written, and the space on its disk. */
export async function* directoryFindings(directory: string): AsyncGenerator<Finding, void, undefined> {
  try {
    const { exists, path, refused, freeBytes } = await roomOf(directory)
    if (refused === undefined) {
      yield ok('directory', exists ? `${path} can be written` : `${directory} isn't there yet and can be made`)
    } else {
      const advice = 'change its owner or mode, or name another state directory'
      yield { level: 'problem', check: 'directory', message: `${path} can't be written: ${refused}`, advice }
    }
    yield spaceFinding(freeBytes)
  } catch (error) {
    yield problem('directory', error)
  }
}

/** The space on a disk as a finding. */
export function spaceFinding(freeBytes: number): Finding {
  const megabytes = Math.floor(freeBytes / 1024 ** 2)
  const message = `${megabytes.toLocaleString('en')} MiB free on the disk`
  if (freeBytes >= LITTLE_SPACE) return ok('space', message)
  const level = freeBytes < NO_SPACE ? 'problem' : 'warning'
  return { level, check: 'space', message, advice: 'make room: a full disk ends the run' }
}

/** Opens the database for reading and closes it, as one finding. */
export async function openingFinding(
  connector: Connector,
  options: ConnectorOptions,
  context: OpenContext,
): Promise<Finding> {
  try {
    const store = await connector.open(options, { ...context, access: 'read' })
    const { meta } = store
    await store.close()
    const left = meta?.inUse === true ? '; its last session still runs or did not end in order' : ''
    return ok('reach', `opened for reading and closed${left}`)
  } catch (error) {
    context.signal?.throwIfAborted()
    return problem('reach', error)
  }
}

/**
 * What an embedded database can say: its version, its directory and, where it is there and nobody writes, that it opens.
 * @param holder the name of who has it open for writing; absent where only the database itself knows
 */
export async function* embeddedFindings(
  connector: Connector,
  options: ConnectorOptions,
  context: OpenContext,
  { version, holder }: { readonly version: () => Promise<string>; readonly holder?: () => Promise<string | undefined> },
): AsyncGenerator<Finding, void, undefined> {
  try {
    yield ok('version', await version())
  } catch (error) {
    yield problem('version', error)
    return
  }
  yield* directoryFindings(context.directory)
  try {
    const held = await holder?.()
    if (held === undefined) {
      if (holder !== undefined) yield ok('lock', 'nobody has it open for writing')
    } else {
      const advice = 'wait for it to end, or stop it'
      yield { level: 'warning', check: 'lock', message: `${held} has it open for writing`, advice }
      if (!connector.capabilities.sharedReads) return
    }
    if ((await connector.absent?.(options, context.directory)) === true) {
      yield ok('reach', 'nothing is there yet: the first session makes it')
      return
    }
  } catch (error) {
    context.signal?.throwIfAborted()
    yield problem('reach', error)
    return
  }
  yield await openingFinding(connector, options, context)
}
