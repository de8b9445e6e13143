import { spawn, type ChildProcess } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import type { Judge, Shown } from './judge.ts'
import { KEYS, lineOf, TABLE, valueOf, type Operation } from './operations.ts'

const PROGRAM = fileURLToPath(new URL('program.mjs', import.meta.url))
const COMMAND = fileURLToPath(new URL('../../../../bin/merganser.js', import.meta.url))

/** Nothing here takes so long, not even under strace on a machine that does much else. */
const LIMIT_SECONDS = 240

/** A session of a writer. */
export interface Plan {
  /** A program of our own that uses the library, or `merganser run`. */
  readonly program: 'library' | 'command'
  /** Where its own files go; the state directory is `state` in it, unless `state` says otherwise. */
  readonly directory: string
  readonly state?: string
  /** Type by name. */
  readonly replicas: Readonly<Record<string, string>>
  readonly operations: readonly Operation[]
  /** Operations between two acknowledgements. */
  readonly batch: number
  readonly flush?: boolean
  readonly segmentBytes?: number
  /** The command: so many acknowledgements may be outstanding before it is given more; 1 by default. */
  readonly ahead?: number
}

export const stateOf = ({ directory, state }: Plan): string => state ?? `${directory}/state`

export interface Ended {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly err: string
}

/** How a writer is started. */
export interface Start {
  /** A program and its arguments before the writer's own: strace. */
  readonly under?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

/** A place of a script that shows a row: what was asked before it is acknowledged with it. */
interface Look {
  readonly replica: string
  readonly key: string
  readonly after: number
  /** The script up to it. */
  readonly lines: string
}

/** A process that writes and says what is acknowledged, until it ends or is killed. */
export class Writer {
  readonly child: ChildProcess
  readonly #plan: Plan
  readonly #looks: readonly Look[]
  /** Whole lines of standard output. */
  readonly said: string[] = []
  readonly ended: Promise<Ended>
  #rest = ''
  #err = ''
  #given = 0
  #waiting: (() => void) | undefined

  private constructor(plan: Plan, looks: readonly Look[], child: ChildProcess) {
    this.#plan = plan
    this.#looks = looks
    this.child = child
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n')
      this.#rest = lines.pop()!
      this.said.push(...lines)
      if (lines.length > 0) this.#give()
      this.#waiting?.()
    })
    // One that ends before it has read everything.
    child.stdin!.on('error', () => undefined)
    this.#give()
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#err += text))
    const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_SECONDS * 1000)
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (status, signal) => {
        clearTimeout(limit)
        this.#waiting?.()
        resolve({ status, signal, err: this.#err })
      })
    })
  }

  static async start(plan: Plan, { under = [], env = {} }: Start = {}): Promise<Writer> {
    const looks = looksOf(plan)
    const args = plan.program === 'library' ? await libraryPlan(plan) : await commandPlan(plan)
    const line = [...under, process.execPath, ...args]
    const child = spawn(line[0]!, line.slice(1), {
      cwd: plan.directory,
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    return new Writer(plan, looks, child)
  }

  /** The command gets its script as it gets on with it, like one who waits for each answer. */
  #give(): void {
    const { operations, ahead = 1, program } = this.#plan
    if (program === 'library') return
    const looks = this.#looks
    let text = ''
    for (; this.#given < looks.length && this.#given < this.said.length + ahead; this.#given++) {
      text += looks[this.#given]!.lines
    }
    if (text !== '') this.child.stdin!.write(text)
    const rest = operations.slice(looks.at(-1)?.after).map((one) => `${lineOf(one)}\n`)
    if (this.#given === looks.length) this.child.stdin!.end(rest.join(''))
  }

  /** Resolves when it has said so many lines, or has ended. */
  async says(lines: number): Promise<void> {
    while (this.said.length < lines && this.child.exitCode === null && this.child.signalCode === null) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve
      })
    }
  }

  /** The library's program: resolves when it has acknowledged something, whatever else it says. Rejects where it ends before. */
  async acknowledges(): Promise<void> {
    while (this.word('ack') === undefined) {
      const lines = this.said.length
      await this.says(lines + 1)
      if (this.said.length === lines) throw new Error(`it ended before it acknowledged anything: ${await this.told()}`)
    }
  }

  /** kill -9; resolves when it is gone and all that it had said was read. */
  async kill(): Promise<Ended> {
    this.child.kill('SIGKILL')
    return await this.ended
  }

  /** Tells the judge all that was said. Call once, when it has ended or been stopped. */
  report(judge: Judge): void {
    if (this.#plan.program === 'library') reportLibrary(this.said, judge)
    else reportCommand(this.said, this.#looks, judge)
  }

  /** All that it told of itself: messages, errors. */
  async told(): Promise<string> {
    const { err } = await this.ended
    return this.#plan.program === 'library'
      ? this.said.filter((line) => !/^(?:rows|ack) /.test(line)).join('\n') + err
      : err
  }

  get program(): Plan['program'] {
    return this.#plan.program
  }

  /** The library's program: what follows a word at the start of a line, of the last such line. */
  word(first: string): string | undefined {
    return this.said.findLast((line) => line === first || line.startsWith(`${first} `))?.slice(first.length + 1)
  }
}

/** It ended with this status and said why with this code, and not as one who breaks. */
export async function expectSaid(writer: Writer, status: number, code: string): Promise<void> {
  const told = await writer.told()
  expect((await writer.ended).status, told.slice(-2000)).toBe(status)
  const said = writer.program === 'library' ? `^failed ${code} ${String(status)} ` : `\\b${code}: `
  expect(told).toMatch(new RegExp(said, 'm'))
  expect(told).not.toMatch(/^crash|^\s+at .*[:(]|BUG/m)
}

function reportLibrary(said: readonly string[], judge: Judge): void {
  for (const line of said) {
    const at = line.indexOf(' ')
    const rest = line.slice(at + 1)
    if (line.startsWith('ack ')) judge.acknowledges(Number(rest))
    if (!line.startsWith('rows ')) continue
    for (const [replica, rows] of Object.entries(JSON.parse(rest) as Record<string, Shown>)) {
      for (const [key, value] of Object.entries(rows)) judge.shows(replica, key, value)
    }
  }
}

function reportCommand(said: readonly string[], looks: readonly Look[], judge: Judge): void {
  expect(said.length).toBeLessThanOrEqual(looks.length)
  for (const [i, line] of said.entries()) {
    const { replica, key, after } = looks[i]!
    const start = `${replica}.GET((${key})) = `
    expect(line.slice(0, start.length), 'results come in the order of the script').toBe(start)
    const value = line.slice(start.length)
    judge.acknowledges(after)
    judge.shows(replica, key, value === 'none' ? null : value)
  }
}

/** First every row, then one after each batch. */
function looksOf({ replicas, operations, batch }: Plan): Look[] {
  const names = Object.keys(replicas)
  const first = names.flatMap((replica) => KEYS.map((key) => ({ replica, key, after: 0, lines: look(replica, key) })))
  // All of these at once.
  const looks: Look[] = first.map((one, i) => ({
    ...one,
    lines: i === 0 ? first.map(({ lines }) => lines).join('') : '',
  }))
  for (let after = batch, i = 0; after <= operations.length; after += batch, i++) {
    const [replica, key] = [names[i % names.length]!, KEYS[i % KEYS.length]!]
    const done = operations.slice(after - batch, after).map((one) => `${lineOf(one)}\n`)
    looks.push({ replica, key, after, lines: done.join('') + look(replica, key) })
  }
  return looks
}

const look = (replica: string, key: string): string => `${replica}.GET(${key})\n`

async function libraryPlan(plan: Plan): Promise<string[]> {
  const file = `${plan.directory}/plan.json`
  const { batch, flush = true, segmentBytes } = plan
  const durability = { commitMilliseconds: 1, ...(segmentBytes === undefined ? {} : { segmentBytes }) }
  const replicas = Object.fromEntries(Object.entries(plan.replicas).map(([name, type]) => [name, { type }]))
  // One thread for all databases: to start more costs more than they save here.
  const session = { state: stateOf(plan), replicas, flush, durability, workers: 1 }
  const operations = plan.operations.map((one) => (one.op === 'set' ? { ...one, value: valueOf(one.n) } : one))
  await writeFile(file, JSON.stringify({ session, keys: KEYS, operations, batch }))
  return [PROGRAM, file]
}

async function commandPlan(plan: Plan): Promise<string[]> {
  const { directory, flush = true, segmentBytes } = plan
  const config = {
    tables: { [TABLE.name]: { key: { k: 'string' }, values: { v: 'string' } } },
    replicas: Object.fromEntries(Object.entries(plan.replicas).map(([name, type]) => [name, { type }])),
    durability: { commitMilliseconds: 1, ...(segmentBytes === undefined ? {} : { segmentBytes }) },
    workers: 1,
  }
  await writeFile(`${directory}/merganser.yaml`, JSON.stringify(config))
  return [COMMAND, 'run', '--state', stateOf(plan), ...(flush ? [] : ['--no-flush'])]
}
