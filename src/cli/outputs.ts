import { access, constants, open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { MerganserError } from '../core/errors.ts'
import type { Shell } from './shell.ts'

/**
 * Looks at the files that a command will write, before anything starts. Throws BAD_OUTPUT_FILE where one can't be
 * written, USAGE where two are the same or one is an input.
 */
export async function checkOutputs(
  shell: Shell,
  outputs: readonly (string | undefined)[],
  inputs: readonly string[],
): Promise<void> {
  const taken = new Set<string>()
  for (const input of inputs) if (input !== '-') taken.add(await target(resolve(shell.cwd, input)))
  for (const output of outputs) {
    if (output === undefined) continue
    const path = await target(resolve(shell.cwd, output))
    if (taken.has(path)) throw new MerganserError('USAGE', `${output} is named twice: as an output and besides`)
    taken.add(path)
    try {
      const found = await stat(path).catch((error: unknown) => (codeOf(error) === 'ENOENT' ? undefined : raise(error)))
      if (found?.isDirectory() === true) raise(Object.assign(new Error(), { code: 'EISDIR' }))
      await access(found === undefined || found.isFile() ? dirname(path) : path, constants.W_OK)
    } catch (error) {
      throw unwritable(output, error)
    }
  }
}

/**
 * Writes a file whole: a crash or an error leaves the old one, if there was one. Throws BAD_OUTPUT_FILE.
 */
export async function writeOutput(
  shell: Shell,
  output: string,
  contents: string | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const path = await target(resolve(shell.cwd, output))
  let draft: string | undefined
  try {
    const found = await stat(path).catch(() => undefined)
    // A pipe or device keeps its name.
    draft = found === undefined || found.isFile() ? `${path}.${String(process.pid)}.tmp` : undefined
    const file = await open(draft ?? path, 'w')
    try {
      if (draft !== undefined) await file.chmod(0o666 & ~startedWith)
      await writeFile(file, contents)
    } finally {
      await file.close()
    }
    if (draft !== undefined) await rename(draft, path)
  } catch (error) {
    if (draft !== undefined) await rm(draft, { force: true }).catch(() => undefined)
    throw error instanceof MerganserError ? error : unwritable(output, error)
  }
}

/** The umask that the process was started with. */
let startedWith = 0o077

/**
 * Whatever is made from now on is for its owner alone, also by libraries that ask for nothing (write-ahead logs, files
 * that memory is spilled to) and by children. Files that the user names are as that user's umask has them.
 */
export function keepPrivate(): void {
  const before = process.umask(0o077)
  if (before !== 0o077) startedWith = before
}

/** The opposite, for a command that from now on makes only what the user named. */
export function keepAsUsual(): void {
  process.umask(startedWith)
}

/** Where a path leads to, symbolic links followed. */
async function target(path: string): Promise<string> {
  return await realpath(path).catch(() => path)
}

function raise(error: unknown): never {
  throw error
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'its directory is not there',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of its path is no directory',
  EACCES: 'no permission',
  EROFS: 'no permission',
  ENOSPC: 'the disk is full',
}

function unwritable(file: string, cause: unknown): MerganserError {
  const code = codeOf(cause)
  return new MerganserError('BAD_OUTPUT_FILE', `the file can't be written: ${REASONS[code] ?? code}`, {
    place: { file },
    cause,
  })
}
