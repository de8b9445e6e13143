import { setTimeout as sleep } from 'node:timers/promises'
import { MerganserError } from '../../../core/errors.ts'
import type { HiveBlock, StatementOptions } from './connection.ts'
import { HiveFault } from './faults.ts'
import type {
  TFetchResultsReq,
  TGetOperationStatusResp,
  TOperationHandle,
  TSessionHandle,
} from './generated/hive-protocol_types.js'
import type { Protocol } from './protocol.ts'

const FINISHED = 2
const CANCELED = 3
const CLOSED = 4
const ERROR = 5
const TIMED_OUT = 8
const FETCH_NEXT = 0

const FIRST_PAUSE = 10
const LONGEST_PAUSE = 250
/** How long the server may take for calls that don't wait for a statement; it answers a poll after 5 s by default. */
const ANSWER_MILLISECONDS = 15_000

/** The caller's signal; `reason` is its own. */
export class Stopped extends Error {
  readonly reason: unknown

  constructor(reason: unknown) {
    super('stopped by the caller')
    this.reason = reason
  }
}

/** One statement on the server: started, waited for, fetched, closed. */
export class Operation {
  private handle: TOperationHandle | undefined
  private hasRows = false
  private readonly deadline: number
  private readonly protocol: Protocol
  private readonly session: TSessionHandle
  private readonly milliseconds: number
  private readonly options: StatementOptions

  constructor(protocol: Protocol, session: TSessionHandle, milliseconds: number, options: StatementOptions) {
    this.protocol = protocol
    this.session = session
    this.milliseconds = milliseconds
    this.options = options
    this.deadline = performance.now() + milliseconds
  }

  /** The server compiles the statement before it answers. */
  async start(statement: string): Promise<void> {
    this.checkSignal()
    const request = { sessionHandle: this.session, statement, runAsync: true }
    const { operationHandle } = await this.protocol.call(
      'ExecuteStatement',
      request,
      this.milliseconds + ANSWER_MILLISECONDS,
    )
    this.handle = operationHandle
  }

  /** Waits for the end; rows that were changed, where the server says it. Cancels on the signal or the time limit. */
  async finished(): Promise<bigint | undefined> {
    for (let pause = FIRST_PAUSE; ; pause = Math.min(LONGEST_PAUSE, pause * 2)) {
      const status = await this.orStopped(
        this.protocol.call(
          'GetOperationStatus',
          { operationHandle: this.handle!, getProgressUpdate: this.options.progress !== undefined },
          ANSWER_MILLISECONDS,
        ),
      )
      const state = status.operationState ?? undefined
      if (state === FINISHED) {
        this.hasRows = status.hasResultSet ?? this.handle!.hasResultSet
        return modifiedRows(status)
      }
      if (state === ERROR || state === CANCELED || state === CLOSED || state === TIMED_OUT) throw faultOf(status, state)
      this.tell(status)
      await this.orStopped(sleep(pause))
    }
  }

  /** The rows in blocks. The next block is asked for before one is handed out. */
  async *blocks(rows: number): AsyncGenerator<HiveBlock, void, undefined> {
    if (!this.hasRows) return
    let next = this.fetch(rows)
    for (;;) {
      this.checkSignal()
      const block = await next
      if (block.rows === 0) return
      next = this.fetch(rows)
      next.catch(() => undefined)
      yield block
    }
  }

  async close(): Promise<void> {
    const operationHandle = this.handle
    if (operationHandle === undefined) return
    this.handle = undefined
    await this.protocol.call('CloseOperation', { operationHandle }, ANSWER_MILLISECONDS)
  }

  /** As `close`, after a failure or before the end: whatever comes of it. */
  async abandon(): Promise<void> {
    await this.close().catch(() => undefined)
  }

  private fetch(rows: number): Promise<HiveBlock> {
    // It writes numbers too.
    const maxRows = rows as unknown as TFetchResultsReq['maxRows']
    const request = { operationHandle: this.handle!, orientation: FETCH_NEXT, maxRows }
    return this.protocol.fetch(request, this.milliseconds)
  }

  private async orStopped<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.options
    let stop: ((reason: unknown) => void) | undefined
    const stopped = new Promise<never>((_, reject) => {
      stop = reject
    })
    const abort = () => stop?.(new Stopped(signal?.reason))
    const timer = setTimeout(() => stop?.(tooLong(this.milliseconds)), Math.max(0, this.deadline - performance.now()))
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted === true) abort()
    try {
      return await Promise.race([work, stopped])
    } catch (error) {
      work.catch(() => undefined)
      if (error instanceof Stopped || error instanceof MerganserError) await this.cancel()
      throw error
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
  }

  private async cancel(): Promise<void> {
    const operationHandle = this.handle!
    await this.protocol.call('CancelOperation', { operationHandle }, ANSWER_MILLISECONDS).catch(() => undefined)
  }

  private checkSignal(): void {
    if (this.options.signal?.aborted === true) throw new Stopped(this.options.signal.reason)
  }

  private tell(status: TGetOperationStatusResp): void {
    const update = status.progressUpdateResponse ?? undefined
    if (update === undefined || this.options.progress === undefined) return
    const percent = `${String(Math.round(update.progressedPercentage * 100))} %`
    this.options.progress(update.footerSummary === '' ? percent : `${percent}, ${update.footerSummary}`)
  }
}

function tooLong(milliseconds: number): MerganserError {
  return new MerganserError('TIME_LIMIT', `a statement of Hive took longer than ${String(milliseconds / 1000)} s`, {
    advice: 'it was cancelled; give a longer limit if the server is busy',
  })
}

function faultOf(status: TGetOperationStatusResp, state: number): Error {
  if (state === TIMED_OUT) {
    return new MerganserError('TIME_LIMIT', 'a statement of Hive took longer than the server allows', {
      advice: 'look at hive.query.timeout.seconds',
    })
  }
  const { sqlState, errorCode, errorMessage } = status
  const ended = state === ERROR ? '' : 'the statement was cancelled on the server'
  return new HiveFault({ sqlState: sqlState ?? undefined, code: errorCode ?? undefined, text: errorMessage ?? ended })
}

function modifiedRows(status: TGetOperationStatusResp): bigint | undefined {
  const count = status.numModifiedRows ?? undefined
  if (count === undefined) return undefined
  const rows = count.buffer.readBigInt64BE(0)
  return rows < 0n ? undefined : rows
}
