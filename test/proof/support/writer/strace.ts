import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { Start } from './process.ts'

/** The calls that bring something to the disk. */
const CALLS = 'write,writev,pwrite64,pwritev,fsync,fdatasync,rename,ftruncate,link'
/** Temporary files of one process, at most. */
const NAMES = 150
const PRELOAD = new URL('names.mjs', import.meta.url).href

/** A call of the system in a trace: its name, and the how manieth of this name it is, from 1. */
export interface Call {
  readonly name: string
  readonly nth: number
  /** What strace shows of it. */
  readonly text: string
  readonly injected: boolean
}

export type Injection = 'EIO' | 'ENOSPC' | 'kill'

/** Why strace can't be used here; undefined where it can. */
export async function straceMissing(): Promise<string | undefined> {
  try {
    const args = ['-f', '--seccomp-bpf', '-o', '/dev/null', '-e', 'inject=fsync:error=EIO:when=1', 'true']
    await promisify(execFile)('strace', args, { timeout: 20_000 })
    return undefined
  } catch (error) {
    return `strace can't be used: ${(error as Error).message.split('\n')[0]!}`
  }
}

export interface Traced {
  /** Whose calls count: those on its files. */
  readonly state: string
  readonly replicas: readonly string[]
  /** Four hexadecimal digits, others for each process that uses the state directory. */
  readonly names: string
  /** The file that gets the trace. */
  readonly trace: string
  readonly strike?: { readonly call: Call; readonly with: Injection }
  /** Only calls on these files, instead of logs, positions and lock. */
  readonly files?: readonly string[]
}

/**
 * Starts a program so that only its calls on the files of its state directory are traced. All of them are made by the one
 * thread that UV_THREADPOOL_SIZE leaves, so that a call has a number: strace counts by thread and name.
 */
export function underStrace({ state, replicas, names, trace, strike, files }: Traced): Start {
  const paths = files ?? [state, ...ownFiles(replicas, names).map((file) => `${state}/${file}`)]
  const inject = strike === undefined ? [] : ['-e', injectOption(strike)]
  // A signal gets lost where the calls that aren't traced don't stop.
  const quick = strike?.with === 'kill' ? [] : ['--seccomp-bpf']
  return {
    under: ['strace', '-f', '-qq', ...quick, '-o', trace, '-e', `trace=${CALLS}`]
      .concat(inject)
      .concat(paths.flatMap((path) => ['-P', path])),
    env: { UV_THREADPOOL_SIZE: '1', NODE_OPTIONS: `--import=${PRELOAD}`, PROOF_NAMES: names },
  }
}

function injectOption({ call, with: injection }: NonNullable<Traced['strike']>): string {
  const what = injection === 'kill' ? 'signal=SIGKILL' : `error=${injection}`
  return `inject=${call.name}:${what}:when=${String(call.nth)}`
}

function ownFiles(replicas: readonly string[], names: string): string[] {
  const files = ['lock', 'positions']
  for (const replica of replicas) {
    const live = `oplogs.${replica.toLowerCase()}`
    files.push(live, ...Array.from({ length: 20 }, (_, i) => `${live}.${String(i + 1)}`), `${live}.torn-1`)
  }
  for (let i = 0; i < NAMES; i++) {
    files.push(`positions.${names}${String(i).padStart(8, '0')}.tmp`, `lock.${names}${String(i).padStart(12, '0')}.tmp`)
  }
  return files
}

/** The calls of a trace, in order. */
export async function callsOf(trace: string): Promise<Call[]> {
  const counts = new Map<string, number>()
  const calls: Call[] = []
  for (const text of (await readFile(trace, 'utf8')).split('\n')) {
    // `4711  fsync(18) = 0`; one that takes long is shown in two lines, of which the second says how it ended.
    const name = /^\d+ +(\w+)\(/.exec(text)?.[1]
    const resumed = /^\d+ +<\.\.\. (\w+) resumed/.exec(text)?.[1]
    if (resumed !== undefined) {
      const at = calls.findLastIndex((call) => call.name === resumed)
      calls[at] = { ...calls[at]!, injected: text.includes('(INJECTED)') }
    }
    if (name === undefined) continue
    const nth = (counts.get(name) ?? 0) + 1
    counts.set(name, nth)
    calls.push({ name, nth, text, injected: text.includes('(INJECTED)') })
  }
  return calls
}
