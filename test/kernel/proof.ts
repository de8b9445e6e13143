import { parseArgs } from 'node:util'
import { failureText, runSessions, type MakeSubject } from './differential.ts'
import { SUBJECTS, type Subject } from './subjects.ts'

const USAGE = `usage: npm run proof:kernel [-- options]
  --seconds N      how long (default 60, where no operations are given)
  --operations N   how many operations
  --seed N         the first seed; the sessions after it have the next ones (default: the time)
  --subject NAME   ${Object.keys(SUBJECTS).join(', ')} (default: in turn)`

const REPORT_SECONDS = 5

interface Wanted {
  readonly seconds: number
  readonly operations: number
  readonly seed: number
  readonly subjects: readonly string[]
}

/** Runs random operations on the model and the kernel; gives the exit status: 1 where they differed, 2 for bad options. */
export function prove(args: readonly string[], say: (text: string) => void): number {
  let wanted: Wanted | undefined
  try {
    wanted = wantedOf(args)
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`)
    return 2
  }
  if (wanted !== undefined) return run(wanted, say)
  say(USAGE)
  return 0
}

function wantedOf(args: readonly string[]): Wanted | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string' },
      operations: { type: 'string' },
      seed: { type: 'string' },
      subject: { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) return undefined
  const number = (name: 'seconds' | 'operations' | 'seed', otherwise: number): number => {
    const text = values[name]
    if (text === undefined) return otherwise
    const value = Number(text)
    if (!Number.isInteger(value) || value < 0) throw new Error(`--${name} takes a whole number`)
    return value
  }
  const { subject } = values
  if (subject !== undefined && !Object.hasOwn(SUBJECTS, subject)) throw new Error(`there is no subject ${subject}`)
  return {
    operations: number('operations', Infinity),
    seconds: number('seconds', values.operations === undefined ? 60 : Infinity),
    seed: number('seed', Math.floor(Date.now() / 1000)),
    subjects: subject === undefined ? Object.keys(SUBJECTS) : [subject],
  }
}

/** A session of each subject in turn. */
function run({ seconds, operations, seed, subjects }: Wanted, say: (text: string) => void): number {
  const started = performance.now()
  const elapsed = () => (performance.now() - started) / 1000
  let done = 0
  let reported = 0
  for (let next = seed; done < operations && elapsed() < seconds; next++) {
    const name = subjects[(next - seed) % subjects.length]!
    const make: MakeSubject = SUBJECTS[name as Subject]
    const result = runSessions(next, Math.min(2500, operations - done), { make })
    done += result.operations
    if (result.failure !== undefined) {
      say(`${name}: ${failureText(result.failure)}`)
      say(`again: npm run proof:kernel -- --subject ${name} --seed ${String(next)} --operations 2500`)
      return 1
    }
    if (elapsed() < reported + REPORT_SECONDS) continue
    reported = elapsed()
    say(`${String(done)} operations, ${String(next - seed + 1)} sessions, ${elapsed().toFixed(0)} s`)
  }
  say(`${String(done)} operations in ${elapsed().toFixed(1)} s from seed ${String(seed)}: no difference`)
  return 0
}
