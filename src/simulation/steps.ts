import type { DiskCall } from './disk.ts'

/** What goes wrong, or is done to the world, at a place of the workload. Times are microseconds. */
export type Fault =
  /** The process dies within so long; with `power` the machine does, and loses what wasn't synced. */
  | { readonly kind: 'crash'; readonly within: number; readonly power: boolean }
  /** The session ends in order, and another one begins. */
  | { readonly kind: 'restart' }
  /** Messages to a database, or its answers, are lost for so long. */
  | {
      readonly kind: 'partition'
      readonly replica: number
      readonly cut: 'requests' | 'answers' | 'both'
      readonly for: number
    }
  /** A database server is down for so long. */
  | { readonly kind: 'outage'; readonly replica: number; readonly for: number }
  /** A database is so many times as slow for so long. */
  | { readonly kind: 'slow'; readonly replica: number; readonly times: number; readonly for: number }
  /** The wall clock steps by so many milliseconds. */
  | { readonly kind: 'clock'; readonly by: number }
  /** A call of the disk fails: the one after so many of its kind. */
  | { readonly kind: 'disk'; readonly call: DiskCall; readonly after: number }
  /** The disk is full for so long. */
  | { readonly kind: 'full'; readonly for: number }
  /** The process dies, and one bit of a file of the state directory is another one when it comes back. */
  | { readonly kind: 'flip' }
  /** The thread that holds the connections of a replica ends. */
  | { readonly kind: 'thread'; readonly number: number }
  /** Somebody changes a value in a database and leaves its stamp (I15). */
  | { readonly kind: 'foreign'; readonly replica: number; readonly number: number }
  /** Another process tries to open the same state directory (I9). */
  | { readonly kind: 'intruder' }
  /** The program waits until everything is durable. */
  | { readonly kind: 'durable' }
  /** The program does nothing for so long. */
  | { readonly kind: 'pause'; readonly for: number }

/** A statement, or something that happens between two of them. */
export type Step = { readonly line: string } | { readonly fault: Fault }

const MARK = '#! '

/** Steps as a script that people can read, and `merganser run` would run: what isn't a statement is a comment. */
export function scriptOf(steps: readonly Step[]): string {
  return steps.map((step) => ('line' in step ? step.line : `${MARK}${JSON.stringify(step.fault)}`)).join('\n') + '\n'
}

/** Throws a SyntaxError where a marked line holds no fault. */
export function stepsOf(script: string): Step[] {
  return script
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => (line.startsWith(MARK) ? { fault: JSON.parse(line.slice(MARK.length)) as Fault } : { line }))
}
