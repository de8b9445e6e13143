import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Ended } from './support.ts'

const HOST = fileURLToPath(new URL('warm-host.mjs', import.meta.url))

/**
 * Runs command lines one after the other in one process that has the program loaded. For tests of what commands do;
 * how they behave as processes (streams, signals, their end) is tested with new ones.
 */
export class WarmProgram {
  #host: ChildProcess | undefined
  #last: Promise<unknown> = Promise.resolve()

  run(args: readonly string[], cwd: string, input: string | Uint8Array): Promise<Ended> {
    const ended = this.#last.then(() => this.#answer({ args, cwd, input }))
    this.#last = ended.catch(() => undefined)
    return ended
  }

  end(): void {
    this.#host?.kill()
  }

  async #answer(request: {
    readonly args: readonly string[]
    readonly cwd: string
    readonly input: string | Uint8Array
  }): Promise<Ended> {
    const host = (this.#host ??= fork(HOST, {
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    }))
    return await new Promise((resolve, reject) => {
      const gone = () => {
        this.#host = undefined
        reject(new Error(`the program ended by itself: merganser ${request.args.join(' ')}`))
      }
      host.once('exit', gone).once('message', (answer) => {
        host.off('exit', gone)
        resolve(answer as Ended)
      })
      host.send(request)
    })
  }
}
