import { MerganserError } from '../core/errors.ts'
import type { FailedExpectation, SessionEvents } from '../engine/events.ts'
import type { Shell } from './shell.ts'

/** Of each kind so many are shown, the others counted. */
const SHOWN = 1000

/** What a session tells, shown as it comes. */
export class Failures implements SessionEvents {
  readonly #shell: Shell
  #expectations = 0
  #problems = 0
  #ended = false

  constructor(shell: Shell) {
    this.#shell = shell
  }

  readonly message = (text: string): void => {
    this.#shell.say(text)
  }

  readonly expectationFailed = ({ file, line, statement, expected, got, stamps }: FailedExpectation): void => {
    if (this.#expectations++ >= SHOWN) return
    const by = stamps.length === 0 ? '' : `, written ${stamps.join(', ')}`
    const place = { ...(file === undefined ? {} : { file }), ...(line === undefined ? {} : { line }) }
    this.#shell.problem(
      new MerganserError('EXPECTATION_FAILED', `${statement}: expected ${brief(expected)}, got ${brief(got)}${by}`, {
        place,
      }),
    )
  }

  readonly problem = (error: MerganserError): void => {
    if (this.#problems++ < SHOWN) this.#shell.problem(error)
  }

  /** Says how many weren't shown. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#more(this.#expectations, 'failed expectations')
    this.#more(this.#problems, 'errors')
  }

  #more(count: number, what: string): void {
    if (count > SHOWN) this.#shell.say(`and ${(count - SHOWN).toLocaleString('en')} more ${what}`)
  }
}

/** A value that fits on a screen. */
function brief(text: string): string {
  return text.length <= 2000 ? text : `${text.slice(0, 2000)}\u2026`
}
