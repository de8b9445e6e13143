import { createReadStream } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { addAbortSignal, type Readable } from 'node:stream'
import { MerganserError } from '../core/errors.ts'
import type { ScriptReader } from '../engine/run-script.ts'
import { stdinIsFile } from './shell.ts'

const CHUNK = 256 * 1024

/** A script that is to be read. */
export interface Input {
  /** As messages name it. */
  readonly file: string
  /** Bytes; undefined for a pipe or a terminal. */
  readonly bytes: number | undefined
  /** Its contents, once. Throws INTERRUPTED on an abort, BAD_INPUT_FILE where reading fails. */
  readonly chunks: (signal: AbortSignal) => AsyncIterable<Buffer>
  /** The same, once, for who has a place for them; absent where one has to wait for the bytes. */
  readonly reader?: () => ScriptReader
}

/** The named files, standard input for `-` or none, all looked at before anything starts. Throws BAD_INPUT_FILE. */
export async function inputsOf(names: readonly string[]): Promise<readonly Input[]> {
  const inputs: Input[] = []
  for (const name of names.length === 0 ? ['-'] : names) inputs.push(name === '-' ? stdin() : await fileInput(name))
  if (inputs.filter(({ file }) => file === STDIN).length > 1) {
    throw new MerganserError('USAGE', 'standard input can be read once only')
  }
  return inputs
}

const STDIN = '<stdin>'

function stdin(): Input {
  return {
    file: STDIN,
    bytes: undefined,
    chunks: (signal) => {
      const file = stdinIsFile()
      const stream = () =>
        file ? createReadStream('', { fd: 0, highWaterMark: CHUNK, autoClose: false }) : process.stdin
      return read(STDIN, stream, signal)
    },
  }
}

async function fileInput(name: string): Promise<Input> {
  try {
    const handle = await open(name, 'r')
    try {
      const stat = await handle.stat()
      if (stat.isDirectory()) throw unreadable(name, 'EISDIR')
      return {
        file: name,
        bytes: stat.isFile() ? stat.size : undefined,
        chunks: (signal) => read(name, () => createReadStream(name, { highWaterMark: CHUNK }), signal),
        ...(stat.isFile() ? { reader: () => new FileReader(name) } : {}),
      }
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw error instanceof MerganserError ? error : unreadable(name, codeOf(error), error)
  }
}

/** Reads a file from its beginning to its end into other people's memory. */
class FileReader implements ScriptReader {
  readonly #name: string
  #handle: Promise<FileHandle> | undefined

  constructor(name: string) {
    this.#name = name
  }

  async read(into: Uint8Array): Promise<number> {
    try {
      this.#handle ??= open(this.#name, 'r')
      return (await (await this.#handle).read(into, 0, into.length, null)).bytesRead
    } catch (error) {
      throw unreadable(this.#name, codeOf(error), error)
    }
  }

  async close(): Promise<void> {
    const handle = await this.#handle?.catch(() => undefined)
    await handle?.close()
  }
}

async function* read(name: string, open: () => Readable, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  const stream = open()
  addAbortSignal(signal, stream)
  try {
    for await (const chunk of stream) yield chunk as Buffer
  } catch (error) {
    // Not an early end: what was read of the last line must not be taken for a whole one.
    if (signal.aborted) throw new MerganserError('INTERRUPTED', 'interrupted', { cause: error })
    throw error instanceof MerganserError ? error : unreadable(name, codeOf(error), error)
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  EACCES: 'no permission',
  EPERM: 'no permission',
  ENAMETOOLONG: 'its name is too long',
  ENOTDIR: 'a part of its path is no directory',
  ELOOP: 'its symbolic links lead in a circle',
}

function unreadable(file: string, code: string, cause?: unknown): MerganserError {
  return new MerganserError('BAD_INPUT_FILE', `the script can't be read: ${REASONS[code] ?? code}`, {
    place: { file },
    cause,
  })
}
