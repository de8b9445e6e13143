import type { SingleBar } from 'cli-progress'
import type { Shell } from './shell.ts'

export interface ProgressOptions {
  /** What is counted, in the plural: `lines`, `rows`. */
  readonly unit: string
  /** The whole of `update`'s `done`; undefined where nobody knows. */
  readonly total: number | undefined
  readonly quiet: boolean
}

export interface Progress {
  /** `done` of the total; `count` is what the rate is of. May be called as often as one likes. */
  update(done: number, count: number): void
  /** Wipes the bar. */
  stop(): void
}

const NONE: Progress = { update: () => undefined, stop: () => undefined }
/** Milliseconds before anything is shown. */
const PATIENCE = 1000

/**
 * A progress bar with rate and remaining time on the terminal, from the second second on; nothing where standard error
 * is no terminal, or with `quiet`.
 */
export async function startProgress(shell: Shell, options: ProgressOptions): Promise<Progress> {
  if (options.quiet || !process.stderr.isTTY || shell.env['TERM'] === 'dumb') return NONE
  const { default: progress } = await import('cli-progress')
  return new Bar(shell, options, (format) => {
    return new progress.SingleBar({
      format,
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
      fps: 10,
      gracefulExit: false,
      barCompleteChar: '\u2588',
      barIncompleteChar: '\u2591',
      barsize: 24,
    })
  })
}

class Bar implements Progress {
  readonly #shell: Shell
  readonly #options: ProgressOptions
  readonly #make: (format: string) => SingleBar
  readonly #begun = performance.now()
  #bar: SingleBar | undefined

  constructor(shell: Shell, options: ProgressOptions, make: (format: string) => SingleBar) {
    this.#shell = shell
    this.#options = options
    this.#make = make
  }

  update(done: number, count: number): void {
    const seconds = (performance.now() - this.#begun) / 1000
    if (seconds * 1000 < PATIENCE) return
    const { total, unit } = this.#options
    const share = total === undefined || total === 0 ? 0 : Math.min(1, done / total)
    const payload = {
      what: `${count.toLocaleString('en')} ${unit}`,
      rate: `${Math.round(count / seconds).toLocaleString('en')} ${unit}/s`,
      left: share === 0 ? '' : `, ${remaining((seconds * (1 - share)) / share)} left`,
    }
    if (this.#bar === undefined) {
      const format = total === undefined ? '{what}, {rate}' : '{bar} {percentage}%  {what}, {rate}{left}'
      this.#bar = this.#make(format)
      this.#bar.start(100, Math.floor(share * 100), payload)
      this.#shell.lastLine = {
        wipe: () => {
          process.stderr.write('\r\u001b[K')
        },
      }
    } else this.#bar.update(Math.floor(share * 100), payload)
  }

  stop(): void {
    if (this.#bar === undefined) return
    this.#bar.stop()
    this.#bar = undefined
    this.#shell.lastLine = undefined
  }
}

function remaining(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${String(whole)} s`
  const minutes = Math.floor(whole / 60)
  if (minutes < 60) return `${String(minutes)} min ${String(whole % 60)} s`
  return `${String(Math.floor(minutes / 60))} h ${String(minutes % 60)} min`
}
