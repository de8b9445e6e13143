import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { ConnectorOptions } from '../../src/connectors/connector.ts'

// Opens a store for writing in a process of its own, and does there what it is told line by line. Of what is built.
const HOST = `
import { createInterface } from 'node:readline'
const [built, type, options, table] = JSON.parse(process.argv[1])
const { batchOf } = await import(built + 'core/batch.js')
const { [type]: connector } = await import(built + 'connectors/' + type + '/connector.js')
const owner = { logId: 'log', name: 'pid ' + process.pid }
const say = (what) => process.stdout.write(what + '\\n')
const coded = (error) => 'failed ' + (error.code ?? error.stack)
const store = await connector.open(connector.options(options), { access: 'write', owner, directory: '', replica: 'R' })
await store.ensureTable(table)
say('open')
for await (const line of createInterface({ input: process.stdin })) {
  const [what, text, stamp] = line.split('|')
  const row = { key: [text], cells: [{ value: text, stamp }], deleted: null }
  if (what === 'write') await store.writeRows(table, batchOf(table, [row])).then((r) => say('wrote ' + r.written), (e) => say(coded(e)))
  if (what === 'meta') await store.writeMeta({ inUse: true, highWater: stamp, position: 77 }).then(() => say('noted'), (e) => say(coded(e)))
}
`

const BUILT = new URL('../../dist/', import.meta.url).href

/** The table that such a process writes. */
export const LEASED = {
  name: 'leased',
  key: [{ name: 'k', type: { name: 'string' } }],
  values: [{ name: 'v', type: { name: 'string' } }],
} as const

/** A process that has a database open for writing, as `pid <number>`. */
export class StoreProcess {
  readonly #child: ChildProcess
  readonly #lines: string[] = []
  #waiting: (() => void) | undefined

  private constructor(child: ChildProcess) {
    this.#child = child
    createInterface({ input: child.stdout! }).on('line', (line) => {
      this.#lines.push(line)
      this.#waiting?.()
    })
    child.on('exit', () => this.#waiting?.())
  }

  static async start(type: 'mongodb' | 'hive', options: ConnectorOptions): Promise<StoreProcess> {
    const argument = JSON.stringify([BUILT, type, options, LEASED])
    const child = spawn(process.execPath, ['--input-type=module', '-e', HOST, argument], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const started = new StoreProcess(child)
    const first = await started.#next()
    if (first !== 'open') throw new Error(`it doesn't open the store: ${String(first)}`)
    return started
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** `wrote 1`, `noted`, or `failed CODE`. */
  async tell(what: 'write' | 'meta', text: string, stamp: string): Promise<string | undefined> {
    this.#child.stdin!.write(`${what}|${text}|${stamp}\n`)
    return await this.#next()
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal)
  }

  /** kill -9, and waits until it is gone. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }

  async #next(): Promise<string | undefined> {
    while (this.#lines.length === 0 && this.#child.exitCode === null && this.#child.signalCode === null) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve
      })
    }
    return this.#lines.shift()
  }
}
