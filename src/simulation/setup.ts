import type { MerganserError } from '../core/errors.ts'
import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from '../core/table.ts'
import type { EngineSetup } from '../engine/setup.ts'
import type { SimulatedProcess } from './process.ts'
import { STATE, type World } from './world.ts'

export interface SessionListener {
  /** Bytes of results. */
  output(bytes: Uint8Array): void
  message(text: string): void
  problem(error: MerganserError): void
}

/** What the production engine is opened with in the simulated world. */
export function setupOf(
  { plan }: World,
  process: SimulatedProcess,
  makeState: EngineSetup['makeState'],
  listener: SessionListener,
): EngineSetup {
  return {
    environment: process.environment,
    stateDirectory: STATE,
    tables: plan.tables,
    replicas: plan.replicas.map((name) => ({ name, connector: process.connector(name), options: {} })),
    aliases: {},
    dryRun: false,
    flush: true,
    fresh: false,
    acceptLoss: false,
    workers: plan.workers,
    limits: {
      keyBytes: MAX_KEY_BYTES,
      valueBytes: MAX_VALUE_BYTES,
      lineBytes: 64 * 1024,
      undoStatements: 10_000,
      undoRows: 1_000_000,
      memoryRows: 2_000_000,
      pendingReads: plan.pendingReads,
      futureSeconds: 86_400,
    },
    durability: { commitMilliseconds: 10, commitBytes: 4 * 1024 * 1024, segmentBytes: plan.segmentBytes },
    retrySeconds: plan.retrySeconds,
    makeState,
    sink: (bytes) => {
      listener.output(bytes)
      return undefined
    },
    events: {
      message: (text) => {
        listener.message(text)
      },
      expectationFailed: () => undefined,
      problem: (error) => {
        listener.problem(error)
      },
    },
  }
}
