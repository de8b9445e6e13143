import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { bearsLoad, loadSeconds } from './support/load.ts'

test(
  'I11 I12: under load at full speed memory keeps its level, a stopped PostgreSQL is waited for, and all drains and agrees',
  { timeout: (loadSeconds() + 240) * 1_000 },
  async () => {
    let stopped: readonly number[] = []
    await bearsLoad('embedded databases', {
      replicas: {
        HIVE: { type: 'embedded-warehouse' },
        POSTGRESQL: { type: 'embedded-postgres' },
        MONGODB: { type: 'embedded-documents' },
      },
      keys: 20_000,
      outage: {
        name: 'PostgreSQL stopped for 20 s',
        begin: (state) => {
          stopped = processesOf(join(state, 'databases', 'postgresql', 'server'))
          for (const pid of stopped) process.kill(pid, 'SIGSTOP')
          return Promise.resolve()
        },
        end: () => {
          for (const pid of stopped) process.kill(pid, 'SIGCONT')
          stopped = []
          return Promise.resolve()
        },
      },
    })
  },
)

/** The server of a data directory, and what it started. */
function processesOf(server: string): number[] {
  const [postmaster] = readFileSync(join(server, 'data', 'postmaster.pid'), 'utf8').split('\n')
  const parentOf = (pid: string): string | undefined => {
    try {
      return /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    } catch {
      return undefined
    }
  }
  const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === postmaster)
  return [Number(postmaster), ...children.map(Number)]
}
