import { spawn } from 'node:child_process'
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const PROGRAM = join(ROOT, 'bin/merganser.js')

export interface Ended {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

/** Runs Node on a script to its end. */
export async function node(args: readonly string[], cwd: string): Promise<Ended> {
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  return await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => {
      resolve({ status, out, err })
    })
  })
}

/** Runs the program as users do, with what `npm run build` built. */
export const merganser = (args: readonly string[], cwd: string): Promise<Ended> => node([PROGRAM, ...args], cwd)

/** A directory that is removed after the test file. */
export async function workspace(): Promise<string> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'merganser-readme-')))
  afterAll(() => rm(path, { recursive: true, force: true }))
  return path
}

export const read = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8')

/** The documents for people. */
export const DOCUMENTS = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'docs/errors.md',
  'docs/language.md',
  'docs/connecting.md',
  'docs/types.md',
]

/** A fenced block of a document. */
export interface Block {
  /** What stands behind the opening fence. */
  readonly kind: string
  readonly text: string
  /** Of its first line, from 1. */
  readonly line: number
  /** The text between the block before and this one. */
  readonly before: string
}

export function blocksOf(document: string): Block[] {
  const blocks: Block[] = []
  let end = 0
  for (const match of document.matchAll(/^```(.*)\n((?:(?!```).*\n)*)```$/gm)) {
    const line = document.slice(0, match.index).split('\n').length + 1
    blocks.push({ kind: match[1]!, text: match[2]!, line, before: document.slice(end, match.index) })
    end = match.index + match[0].length
  }
  return blocks
}

/** The block behind a marking comment, `<!-- example: examples/ten-lines.in -->`. */
export function marked(document: string, mark: string): string {
  const found = blocksOf(document).find(({ before }) => before.trimEnd().endsWith(`<!-- ${mark} -->`))
  if (found === undefined) throw new Error(`no block is marked with ${mark}`)
  return found.text
}

/** What a run told on standard error before its summary. */
export function beforeSummary(err: string): string {
  const lines = err.split('\n')
  const summary = lines.findIndex((line) => / in \d+\.\d\d s$/.test(line))
  return lines
    .slice(0, summary < 0 ? undefined : summary)
    .map((line) => `${line}\n`)
    .join('')
}
