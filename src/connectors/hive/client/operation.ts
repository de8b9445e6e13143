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

/** Time limits of a connection's statements, in milliseconds. */
export interface Limits {
  /** For a statement, and for each of its blocks of rows. */
  readonly statement: number
  /** For calls that wait for no statement; the server answers a poll after 5 s by default. */
  readonly answer: number
  /** For the cancellation of a statement. */
  readonly cancel: number
}

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
  private readonly limits: Limits
  private readonly options: StatementOptions
  private compiled = 0

  constructor(protocol: Protocol, session: TSessionHandle, limits: Limits, options: StatementOptions) {
    this.protocol = protocol
    this.session = session
    this.limits = limits
    this.options = options
    this.deadline = performance.now() + limits.statement
  }

  /**
   * The server compiles the statement before it answers. Until then it has no name by which it could be cancelled: on
   * the signal or the time limit the connection is cut.
   */
  async start(statement: string): Promise<void> {
    this.checkSignal()
    const request = { sessionHandle: this.session, statement, runAsync: true }
    const call = this.protocol.call('ExecuteStatement', request, this.limits.statement + this.limits.answer)
    this.handle = (await this.orStopped(call)).operationHandle
    this.compiled = performance.now()
  }

  /** Waits for the end; rows that were changed, where the server says it. Cancels on the signal or the time limit. */
  async finished(): Promise<bigint | undefined> {
    for (let pause = FIRST_PAUSE; ; pause = Math.min(LONGEST_PAUSE, pause * 2)) {
      const asked = performance.now()
      // Not with the progress of its tasks: a statement that waits for locks has none, and the server would wait for it.
      const status = await this.orStopped(
        this.protocol.call('GetOperationStatus', { operationHandle: this.handle! }, this.limits.answer),
      )
      const state = status.operationState ?? undefined
      if (state === FINISHED) {
        this.hasRows = status.hasResultSet ?? this.handle!.hasResultSet
        return modifiedRows(status)
      }
      if (state === ERROR || state === CANCELED || state === CLOSED || state === TIMED_OUT) throw faultOf(status, state)
      this.tell(status)
      // Servers answer when the statement ends, or after a while: to wait once more would only be late.
      const left = asked + pause - performance.now()
      if (left > 0) await this.orStopped(sleep(left))
    }
  }

  /** The rows in blocks. The next block is asked for before one is handed out. */
  async *blocks(rows: number): AsyncGenerator<HiveBlock, void, undefined> {
    if (!this.hasRows) return
    let next = this.fetch(rows)
    for (;;) {
      this.checkSignal()
      const block = await this.orStopped(next, 'fetching')
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
    await this.protocol.call('CloseOperation', { operationHandle }, this.limits.answer)
  }

  /** As `close`, after a failure or before the end: whatever comes of it. */
  async abandon(): Promise<void> {
    await this.close().catch(() => undefined)
  }

  private fetch(rows: number): Promise<HiveBlock> {
    // It writes numbers too.
    const maxRows = rows as unknown as TFetchResultsReq['maxRows']
    const request = { operationHandle: this.handle!, orientation: FETCH_NEXT, maxRows }
    return this.protocol.fetch(request, this.limits.statement)
  }

  /** The result of a call, or the signal's reason, or TIME_LIMIT: then the statement is ended first. */
  private async orStopped<T>(work: Promise<T>, what?: 'fetching'): Promise<T> {
    const { signal } = this.options
    let stop: ((reason: unknown) => void) | undefined
    const stopped = new Promise<never>((_, reject) => {
      stop = reject
    })
    const abort = () => stop?.(new Stopped(signal?.reason))
    const late = () => stop?.(tooLong(this.limits.statement))
    // A block has its own limit.
    const timer = what === undefined ? setTimeout(late, Math.max(0, this.deadline - performance.now())) : undefined
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted === true) abort()
    try {
      return await Promise.race([work, stopped])
    } catch (error) {
      work.catch(() => undefined)
      if (error instanceof Stopped || error instanceof MerganserError) await this.end(what)
      throw error
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
  }

  /** Asks the server to cancel; one that is busy with a call of ours wouldn't hear it, and is cut off. */
  private async end(what?: 'fetching'): Promise<void> {
    const operationHandle = this.handle
    if (operationHandle === undefined || what === 'fetching') this.protocol.cut()
    else await this.protocol.call('CancelOperation', { operationHandle }, this.limits.cancel).catch(() => undefined)
  }

  private checkSignal(): void {
    if (this.options.signal?.aborted === true) throw new Stopped(this.options.signal.reason)
  }

  private tell({ taskStatus }: TGetOperationStatusResp): void {
    const { progress, idle } = this.options
    if (progress === undefined && idle === undefined) return
    const since = performance.now() - this.compiled
    const tasks = startedTasks(taskStatus ?? '')
    if (tasks.length === 0) idle?.(since)
    const at = tasks.length === 0 ? '' : `, at ${tasks.at(-1)!}`
    progress?.(`a statement of Hive runs for ${String(Math.round(since / 1000))} s${at}`)
  }
}

/** Names of the tasks that have begun, as far as the server tells. */
function startedTasks(status: string): string[] {
  try {
    const tasks = JSON.parse(status) as readonly { readonly name?: string; readonly taskState?: string }[]
    return tasks.flatMap(({ name, taskState }) => {
      return taskState === 'RUNNING' || taskState === 'FINISHED' ? [(name ?? '').replace(/^[A-Z]+:/, '')] : []
    })
  } catch {
    return []
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
