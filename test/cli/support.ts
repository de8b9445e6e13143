import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect } from 'vitest'
import { WarmProgram } from './warm.ts'

/** The program as users start it, with what `npm run build` built. */
export const PROGRAM = fileURLToPath(new URL('../../bin/merganser.js', import.meta.url))

export interface Ended {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

export interface Started {
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Promise<Ended>
  /** Resolves when standard output or error holds the text. */
  readonly shows: (text: string) => Promise<void>
}

/** A directory for one test file, removed after it, with a configuration of two databases that start fast. */
export class Workspace {
  readonly directory: string
  readonly #warm: WarmProgram | undefined

  private constructor(directory: string, warm: WarmProgram | undefined) {
    this.directory = directory
    this.#warm = warm
  }

  /** With `warm`, `run` and what builds on it start no process where they can do without. */
  static async create({ warm = false } = {}): Promise<Workspace> {
    const program = warm ? new WarmProgram() : undefined
    const workspace = new Workspace(await mkdtemp(join(tmpdir(), 'merganser-cli-')), program)
    await workspace.write('merganser.yaml', TWO_REPLICAS)
    afterAll(async () => {
      program?.end()
      await rm(workspace.directory, { recursive: true, force: true })
    })
    return workspace
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  async write(name: string, contents: string | Uint8Array): Promise<string> {
    await writeFile(this.path(name), contents)
    return this.path(name)
  }

  start(args: readonly string[], options: { readonly shell?: string; readonly env?: NodeJS.ProcessEnv } = {}): Started {
    const line =
      options.shell === undefined
        ? ([process.execPath, [PROGRAM, ...args]] as const)
        : (['bash', ['-c', `${options.shell}; exec "$@"`, 'bash', process.execPath, PROGRAM, ...args]] as const)
    const child = spawn(line[0], line[1], { cwd: this.directory, env: { ...process.env, ...options.env } })
    let out = ''
    let err = ''
    const watchers = new Set<() => void>()
    const gather = (take: (text: string) => void) => (text: string) => {
      take(text)
      for (const watch of watchers) watch()
    }
    child.stdout.setEncoding('utf8').on(
      'data',
      gather((text) => (out += text)),
    )
    child.stderr.setEncoding('utf8').on(
      'data',
      gather((text) => (err += text)),
    )
    // A program that ends before it has read everything.
    child.stdin.on('error', () => undefined)
    const ended = new Promise<Ended>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (status) => {
        resolve({ status, out, err })
      })
    })
    const shows = async (text: string): Promise<void> => {
      const shown = new Promise<void>((resolve) => {
        const watch = () => {
          if (!out.includes(text) && !err.includes(text)) return
          watchers.delete(watch)
          resolve()
        }
        watchers.add(watch)
        watch()
      })
      const gone = ended.then((end) => {
        if (!end.out.includes(text) && !end.err.includes(text)) {
          throw new Error(`ended with ${String(end.status)} and without showing ${text}:\n${end.err}`)
        }
      })
      await Promise.race([shown, gone])
    }
    return { child, ended, shows }
  }

  /** Runs one command line to its end; `input` is its standard input. */
  async run(
    args: readonly string[],
    options: { readonly input?: string | Uint8Array; readonly shell?: string; readonly env?: NodeJS.ProcessEnv } = {},
  ): Promise<Ended> {
    const { input = '', shell, env } = options
    if (this.#warm !== undefined && shell === undefined && env === undefined) {
      return await this.#warm.run(args, this.directory, input)
    }
    const { child, ended } = this.start(args, options)
    child.stdin.end(input)
    return await ended
  }

  /** As `run`, and fails unless it ends with status 0. */
  async done(args: readonly string[], input?: string): Promise<Ended> {
    const ended = await this.run(args, input === undefined ? {} : { input })
    expect(ended, `merganser ${args.join(' ')}`).toMatchObject({ status: 0 })
    return ended
  }

  /** The rows of a replica's oplog as `merganser oplog` prints them, without stamps and remarks. */
  async log(replica: string, state: string): Promise<string[]> {
    const { out } = await this.done(['oplog', replica, '--state', state])
    return out
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.replace(/^[^,]*, /, ''))
  }
}

/** PostgreSQL takes seconds where it is new: left out wherever it isn't the point. */
const TWO_REPLICAS = `replicas:
  HIVE: { type: embedded-warehouse }
  MONGODB: { type: embedded-documents }
`

/** What every refusal must be: a code at the place it says, no stack, nothing else's trace. */
export function expectRefused(ended: Ended, status: number, code: string, place = ''): void {
  expect(ended.err).toMatch(new RegExp(`^${escaped(place)}[^\\n]*${code}: `, 'm'))
  expect(ended.status, ended.err).toBe(status)
  expect(ended.err).not.toMatch(/^\s+at .*[:(]/m)
  expect(ended.err).not.toContain('node_modules')
  expect(ended.err).not.toContain('BUG')
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
