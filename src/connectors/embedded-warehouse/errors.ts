import { MerganserError } from '../../core/errors.ts'

export function storeClosed(replica: string): MerganserError {
  return new MerganserError('STORE_CLOSED', `the warehouse of ${replica} is closed`, { place: { replica } })
}

export function locked(replica: string, holder: string): MerganserError {
  return new MerganserError('DATABASE_LOCKED', `the warehouse of ${replica} is in use by ${holder}`, {
    place: { replica },
    advice: 'wait until it ends; a warehouse can be read or written by one process only, also for reading',
  })
}

/** Who holds DuckDB's lock of the file, where the error says that somebody does. */
export function lockHolder(error: unknown): string | undefined {
  const text = messageOf(error)
  if (!/could not set lock on file/i.test(text)) return undefined
  const pid = /\(PID (\d+)\)/.exec(text)?.[1]
  return pid === undefined ? 'another process' : `pid ${pid}`
}

/** What an error of DuckDB means to the engine. Its own text is passed on only where it can hold no value. */
export function translated(error: unknown, replica: string): MerganserError {
  if (error instanceof MerganserError) return error
  const text = messageOf(error)
  const place = { replica }
  const kind = /^(\w+(?: \w+)*) Error:/.exec(text)?.[1] ?? 'Unknown'
  if (/no space left|disk quota/i.test(text)) {
    return new MerganserError('BACK_OFF', `the disk of the warehouse of ${replica} is full`, { place, cause: error })
  }
  if (kind === 'Out of Memory') {
    const advice = "raise the replica's option memory"
    return new MerganserError('DATABASE_REFUSED', `the warehouse of ${replica} needs more memory than it may use`, {
      place,
      advice,
    })
  }
  if (kind === 'FATAL' || kind === 'INTERNAL' || kind === 'Connection' || kind === 'INTERRUPT') {
    return new MerganserError('CONNECTION_LOST', `the warehouse of ${replica} gave up (${kind})`, {
      place,
      cause: error,
    })
  }
  if (kind === 'IO' || kind === 'Permission' || kind === 'Serialization') {
    const advice = 'look at the file, its rights and its disk'
    const message = `the warehouse of ${replica} can't be used: ${text.slice(0, 300)}`
    return new MerganserError('DATABASE_REFUSED', message, { place, advice, cause: error })
  }
  return new MerganserError('DATABASE_REFUSED', `the warehouse of ${replica} refused a statement (${kind} error)`, {
    place,
  })
}

/** Whether an error has a text of DuckDB's form. */
export function isDuckDBError(error: unknown): boolean {
  return /^\w[\w ]* Error:/.test(messageOf(error))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
