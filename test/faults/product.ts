import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Workspace } from '../cli/support.ts'
import { type Ended, type Started } from '../cli/support.ts'
import type { ReplicaOptions } from './subject.ts'

/** No run of these cases has a reason to take longer, in milliseconds. */
const TIME_LIMIT = 300_000

export interface Installation {
  /** Seconds that a database may stay away. */
  readonly retry?: number
  /** YAML; the default table where it isn't given. */
  readonly tables?: string
  /** Where the state directory is another one's: that of the same database with other options. */
  readonly state?: string
  /** Replicas beside those two. */
  readonly more?: Readonly<Record<string, ReplicaOptions>>
  /** Its commands may run beside others: each has a process of its own. */
  readonly beside?: boolean
}

/** Merganser as users run it, with a replica REAL at a real server and an embedded one, OTHER. */
export class Product {
  readonly #workspace: Workspace
  readonly #secrets: readonly string[]
  #count = 0

  constructor(workspace: Workspace, secrets: readonly string[]) {
    this.#workspace = workspace
    this.#secrets = secrets.flatMap((secret) => [secret, encodeURIComponent(secret)])
  }

  /** A configuration, with a state directory of its own. */
  async install(options: ReplicaOptions, installation: Installation = {}): Promise<Merganser> {
    const { retry = 240, tables, state, more, beside = false } = installation
    const name = `m${String(++this.#count)}`
    const replicas = { REAL: options, OTHER: { type: 'embedded-documents' }, ...more }
    const config = `${tables ?? ''}\nreplicas: ${JSON.stringify(replicas)}\nretry: { seconds: ${String(retry)} }\n`
    await this.#workspace.write(`${name}.yaml`, config)
    const check = (text: string): void => {
      this.check(text)
    }
    return new Merganser(this.#workspace, { name, state: state ?? name, beside, check })
  }

  check(text: string): void {
    for (const secret of this.#secrets) expect(text.includes(secret), 'a secret is shown').toBe(false)
  }

  /** No file that was written, logs and reports among them, holds a secret; configurations do. */
  async checkFiles(): Promise<void> {
    const { directory } = this.#workspace
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.name.endsWith('.yaml')) continue
      this.check(await readFile(join(entry.parentPath, entry.name), 'latin1'))
    }
  }
}

interface Place {
  readonly name: string
  readonly state: string
  readonly beside: boolean
  readonly check: (text: string) => void
}

/** The program with one configuration and state directory. */
export class Merganser {
  readonly state: string
  readonly #workspace: Workspace
  readonly #options: readonly string[]
  readonly #beside: boolean
  readonly #check: (text: string) => void

  constructor(workspace: Workspace, { name, state, beside, check }: Place) {
    this.#workspace = workspace
    this.state = state
    this.#options = ['--config', `${name}.yaml`, '--state', state]
    this.#beside = beside
    this.#check = check
  }

  path(name: string): string {
    return this.#workspace.path(name)
  }

  async write(name: string, text: string): Promise<string> {
    await this.#workspace.write(name, text)
    return name
  }

  /** A process of its own, to write to, to watch, and to end. */
  start(...args: string[]): Started {
    const started = this.#workspace.start([...args, ...this.#options])
    return { ...started, ended: this.#ended(started.ended) }
  }

  /** Runs a script to its end. */
  async run(script: string, ...args: string[]): Promise<Ended> {
    return await this.#to(['run', ...args], script)
  }

  async command(...args: string[]): Promise<Ended> {
    return await this.#to(args, '')
  }

  /** As `run` and `command`, which must end with status 0; standard output. */
  async runs(script: string, ...args: string[]): Promise<string> {
    return well(await this.run(script, ...args))
  }

  async does(...args: string[]): Promise<string> {
    return well(await this.command(...args))
  }

  /** The rows of a replica's database, as CSV lines without the header, in the order of keys. */
  async rows(replica = 'REAL', ...args: string[]): Promise<string[]> {
    const out = await this.does('query', replica, '--format', 'csv', ...args)
    return out.trimEnd().split('\n').slice(1)
  }

  /** What `run --report` wrote; also where a check of it must wait for the run. */
  async report(): Promise<{
    replicas: { name: string; quarantined: { key: string; reason: string }[]; foreign: number; retries: number }[]
  }> {
    return JSON.parse(await readFile(this.path('report.json'), 'utf8')) as Awaited<ReturnType<Merganser['report']>>
  }

  /** Resolves when the oplog of REAL holds a text, durably. */
  async logged(text: string): Promise<void> {
    await expect
      .poll(async () => (await readFile(this.path(`${this.state}/oplogs.real`), 'utf8')).includes(text), {
        timeout: 120_000,
        interval: 50,
      })
      .toBe(true)
  }

  async #to(args: readonly string[], input: string): Promise<Ended> {
    const began = performance.now()
    const result = await this.#ended(this.#runs([...args, ...this.#options], input))
    expect(performance.now() - began, result.err).toBeLessThan(TIME_LIMIT)
    return result
  }

  async #runs(args: readonly string[], input: string): Promise<Ended> {
    // `doctor` ends its process itself, whatever a database's client still waits for.
    if (!this.#beside && args[0] !== 'doctor') return await this.#workspace.run(args, { input })
    const { child, ended } = this.#workspace.start(args)
    child.stdin.end(input)
    return await ended
  }

  async #ended(ending: Promise<Ended>): Promise<Ended> {
    const ended = await ending
    this.#check(ended.out + ended.err)
    return ended
  }
}

function well(ended: Ended): string {
  expect(ended, ended.err).toMatchObject({ status: 0 })
  return ended.out
}

/** What an error at REAL must say: its code, whose it is, and what to do. */
export function expectTold(ended: Ended, status: number, codes: readonly string[]): void {
  expect(ended.status, ended.err).toBe(status)
  const line = new RegExp(`^(?:\\S+: )?(?:${codes.join('|')}): .*\\bREAL\\b`, 'm')
  expect(ended.err).toMatch(line)
  expect(ended.err, 'what to do').toMatch(/^ {4}\S/m)
  expect(ended.err).not.toMatch(/^\s+at .*[:(]/m)
}
