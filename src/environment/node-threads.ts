import { Worker } from 'node:worker_threads'
import type { Port, Thread, Threads } from './environment.ts'

/** Threads of worker_threads, each started from the same compiled file. */
export function nodeThreads(entry: URL): Threads {
  return {
    start(name: string): Thread {
      const worker = new Worker(entry, { name, stdin: false, env: process.env })
      let failure: Error | undefined
      worker.on('error', (error: unknown) => {
        failure = error instanceof Error ? error : new Error(String(error))
      })
      return {
        post: (message, transfer) => {
          worker.postMessage(message, transfer === undefined ? [] : [...transfer])
        },
        onMessage: (listener) => {
          worker.on('message', listener)
        },
        onExit: (listener) => {
          worker.on('exit', () => {
            listener(failure)
          })
        },
        terminate: async () => {
          await worker.terminate()
        },
      }
    },
  }
}

/**
 * The same without threads: the host runs where it was started, messages still cross as structured clones, each in a
 * turn of its own. For the simulation, whose seed decides every turn, and for tests from source.
 */
export function inlineThreads(host: (port: Port) => void): Threads {
  return {
    start(): Thread {
      let ended = false
      const toHost: ((message: unknown) => void)[] = []
      const toOwner: ((message: unknown) => void)[] = []
      const exits: ((error: Error | undefined) => void)[] = []
      const carry = (listeners: ((message: unknown) => void)[], message: unknown) => {
        const copy: unknown = structuredClone(message)
        setImmediate(() => {
          if (!ended) for (const listener of listeners) listener(copy)
        })
      }
      host({
        post: (message) => {
          carry(toOwner, message)
        },
        onMessage: (listener) => {
          toHost.push(listener)
        },
      })
      return {
        post: (message) => {
          carry(toHost, message)
        },
        onMessage: (listener) => {
          toOwner.push(listener)
        },
        onExit: (listener) => {
          exits.push(listener)
        },
        terminate: () => {
          if (!ended) {
            ended = true
            for (const listener of exits) listener(undefined)
          }
          return Promise.resolve()
        },
      }
    },
  }
}
