import { MerganserError } from '../core/errors.ts'
import type { Statement } from '../script/statement.ts'
import type { EngineContext, Origin } from './context.ts'
import { fullSync, merge } from './merges.ts'
import { answered, breathe, pace } from './pace.ts'
import { read, write } from './row-statements.ts'
import { commit, flushAll, rollback, undo } from './undo.ts'

/**
 * Executes statements in their order. One at a time: a statement that gives a promise must be awaited before the next.
 */
export class Engine {
  readonly context: EngineContext
  #busy = false

  constructor(context: EngineContext) {
    this.context = context
  }

  /** Whether a statement is still being executed. */
  get busy(): boolean {
    return this.#busy
  }

  /**
   * Executes a statement; a promise where it takes its time. What it did is durable once the next epoch is on disk, and
   * results are shown only then. Throws, or rejects with, a MerganserError, and nothing of the statement was done then
   * (but for a merge that a database failed in the middle of: what it took stands).
   */
  execute(statement: Statement, origin: Origin): Promise<void> | undefined {
    if (this.#busy) {
      throw new MerganserError('USAGE', 'a statement is still being executed', {
        advice: 'await it before the next one',
      })
    }
    switch (statement.op) {
      case 'none':
      case 'exit':
        return undefined
      case 'set':
      case 'delete':
        write(this.context, statement, origin)
        return undefined
      case 'get':
        read(this.context, statement, origin)
        return undefined
      default:
        this.#busy = true
        return this.#take(statement, origin).finally(() => {
          this.#busy = false
        })
    }
  }

  /** Before the first statement of a script. */
  begin(): void {
    this.context.clock.refresh()
  }

  /** At the end of each block of statements; a promise where it has to wait. */
  pace(): Promise<void> | undefined {
    this.context.clock.refresh()
    return pace(this.context)
  }

  /** As `pace`, and lets other work in. */
  async breathe(): Promise<void> {
    this.context.clock.refresh()
    await breathe(this.context)
  }

  /** Resolves when all statements so far are answered and durable, and their results written out. */
  async durable(): Promise<void> {
    await answered(this.context)
    await this.context.log.durable()
  }

  async #take(statement: Statement, origin: Origin): Promise<void> {
    const { context } = this
    const { replica, other } = statement
    // It may wait for a database: what came before it doesn't.
    context.sequencer.handOver()
    switch (statement.op) {
      case 'merge':
        await merge(context, replica, other, origin)
        break
      case 'fullSync':
        await fullSync(context, origin)
        break
      case 'sync':
        context.counts.statements.sync++
        if (!context.flushes) break
        if (replica < 0) await flushAll(context)
        else await context.replicas[replica]!.flusher.drain()
        break
      case 'undo':
        await undo(context, replica < 0 ? undefined : replica)
        break
      case 'commit':
        await commit(context)
        break
      case 'rollback':
        await rollback(context)
        break
      default:
        break
    }
    await breathe(context)
  }
}
