import { expect } from 'vitest'
import { run, stored, type Ran } from '../../../engine/support.ts'
import type { Judge, Shown } from './judge.ts'
import { KEYS, TABLE } from './operations.ts'

type Types = Readonly<Record<string, string>>

const looks = (names: readonly string[]): string[] => names.flatMap((name) => KEYS.map((key) => `${name}.GET(${key})`))

/** What results of `looks` say, by replica and key. */
function shownBy(lines: readonly string[], names: readonly string[]): Record<string, Shown> {
  expect(lines.length).toBe(names.length * KEYS.length)
  return Object.fromEntries(
    names.map((name, i) => {
      const rows = KEYS.map((key, k) => {
        const start = `${name}.GET((${key})) = `
        const line = lines[i * KEYS.length + k]!
        expect(line.slice(0, start.length)).toBe(start)
        const value = line.slice(start.length)
        return [key, value === 'none' ? null : value] as const
      })
      return [name, Object.fromEntries(rows)]
    }),
  )
}

/** Opens the state directory here, with the model of the specification, and shows the judge every row of it. */
export async function reopen(state: string, replicas: Types, judge: Judge, { flush = true } = {}): Promise<Ran> {
  const names = Object.keys(replicas)
  const ran = await run(state, looks(names).join('\n'), { replicas, tables: [TABLE], flush })
  expect(ran.error).toBeUndefined()
  for (const [name, rows] of Object.entries(shownBy(ran.lines, names))) {
    for (const [key, value] of Object.entries(rows)) judge.shows(name, key, value)
  }
  return ran
}

/** One FULL_SYNC after all that was done to a state directory: the replicas and their databases are equal, and hold all. */
export async function settle(state: string, replicas: Types, judge: Judge): Promise<void> {
  const names = Object.keys(replicas)
  await reopen(state, replicas, judge)
  const script = ['FULL_SYNC', ...looks(names)].join('\n')
  const { lines, report } = await run(state, script, { replicas, tables: [TABLE] })
  expect(report).toMatchObject({ converged: true, exitStatus: 0 })
  const shown = shownBy(lines, names)
  judge.converged(shown)
  for (const [name, type] of Object.entries(replicas)) {
    const rows = await stored(state, name, type, TABLE)
    for (const key of KEYS) {
      const value = shown[name]![key]
      expect(rows[key]?.startsWith('-') === false ? rows[key] : null, `the database of ${name}, ${key}`).toBe(value)
    }
  }
}
