import { fstatSync } from 'node:fs'
import pc from 'picocolors'
import { ExitStatus, MerganserError } from '../core/errors.ts'
import { renderProblem } from '../script/errors.ts'
import { displayText } from '../script/display.ts'

type Colors = ReturnType<typeof pc.createColors>

/** Thrown where the reader of standard output has gone: the command ends quietly. */
export class OutputClosed extends Error {}

/** What is on the last line of the terminal and must be wiped before anything else is written. */
export interface LastLine {
  wipe(): void
}

/** What all commands share: the streams, colours, the exit status, and interrupts. */
export class Shell {
  /** Whether unexpected errors are shown with their stacks. */
  readonly debug: boolean
  /** For standard error; they do nothing where it is no terminal. */
  readonly colors: Colors
  /** Those of standard output. */
  readonly outputColors: Colors
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Set while a progress bar is shown. */
  lastLine: LastLine | undefined
  #status: ExitStatus = ExitStatus.done
  #outputClosed = false
  readonly #interrupt = new AbortController()
  #listening = false

  constructor({ debug }: { readonly debug: boolean }) {
    this.debug = debug
    this.env = process.env
    this.cwd = process.cwd()
    this.colors = pc.createColors(colored(process.stderr, this.env))
    this.outputColors = pc.createColors(colored(process.stdout, this.env))
    process.stdout.on('error', (error: Error & { code?: string }) => {
      this.#outputClosed = true
      if (error.code === 'EPIPE') return
      this.problem(
        new MerganserError('BAD_OUTPUT_FILE', `standard output can't be written: ${error.code ?? error.message}`),
      )
    })
    // Where nobody can be told, there is nothing left to do.
    process.stderr.on('error', () => undefined)
  }

  get status(): ExitStatus {
    return this.#status
  }

  /** The process ends with the highest status that was raised. */
  raise(status: ExitStatus): void {
    if (status > this.#status) this.#status = status
  }

  /** Aborted by Ctrl-C. */
  get interrupted(): AbortSignal {
    return this.#interrupt.signal
  }

  /**
   * From now on Ctrl-C (and SIGTERM, SIGHUP) aborts `interrupted` and raises status 130; a second one ends at once.
   * Without it they end the process as usual. `first` tells what happens next.
   */
  takeInterrupts(first: string): void {
    if (this.#listening) return
    this.#listening = true
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (this.interrupted.aborted) process.exit(ExitStatus.interrupted)
        this.raise(ExitStatus.interrupted)
        this.say(first)
        this.#interrupt.abort()
      })
    }
  }

  /** A message for people, on standard error. */
  say(text: string): void {
    this.lastLine?.wipe()
    process.stderr.write(`${text}\n`)
  }

  /** Shows an error and raises its status. */
  problem(error: unknown): void {
    if (error instanceof OutputClosed) return
    const known = error instanceof MerganserError ? error : unexpected(error)
    this.raise(known.exitStatus)
    const [first, ...rest] = renderProblem(known).split('\n')
    this.say([this.colors.red(first ?? ''), ...rest].join('\n'))
    if (this.debug) this.say(stacks(error))
  }

  /** Whether nobody reads standard output any more. */
  get outputClosed(): boolean {
    return this.#outputClosed
  }

  /** Writes results to standard output; resolves when more is welcome. Bytes must stay as they are until then. */
  async write(bytes: Uint8Array | string): Promise<void> {
    if (this.#outputClosed) return
    if (process.stdout.isTTY) this.lastLine?.wipe()
    if (process.stdout.write(bytes)) return
    await new Promise<void>((resolve) => {
      const done = () => {
        process.stdout.off('drain', done).off('error', done).off('close', done)
        resolve()
      }
      process.stdout.on('drain', done).on('error', done).on('close', done)
    })
  }

  /** As `write`, for commands that have nothing else to do: throws OutputClosed where nobody reads any more. */
  async print(text: Uint8Array | string): Promise<void> {
    await this.write(text)
    if (this.#outputClosed) throw new OutputClosed()
  }
}

function colored(stream: NodeJS.WriteStream, env: Shell['env']): boolean {
  // A pipe has none: undefined would let picocolors find out for itself, and see a terminal under CI.
  const { isTTY } = stream as { readonly isTTY?: boolean }
  return isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
}

function unexpected(error: unknown): MerganserError {
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return new MerganserError('BUG', `unexpected ${what}`, {
    cause: error,
    advice: 'this is a fault in Merganser: please report it with what --debug shows',
  })
}

function stacks(error: unknown): string {
  const parts: string[] = []
  for (let at = error; at instanceof Error && parts.length < 10; at = at.cause) parts.push(at.stack ?? at.message)
  return parts
    .join('\ncaused by ')
    .split('\n')
    .map((line) => `    ${displayText(line)}`)
    .join('\n')
}

/** Whether standard input is a file, which can be read in any portions. */
export function stdinIsFile(): boolean {
  try {
    return fstatSync(0).isFile()
  } catch {
    return false
  }
}
