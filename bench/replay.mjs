import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { absent, atLeast, inTurn, measured } from './pairs.mjs'
import { timeProcess } from './processes.mjs'
import { writeScript } from './script.mjs'

const path = (name) => fileURLToPath(new URL(name, import.meta.url))

/**
 * A script replayed by whole processes, in memory and with durable oplogs, against the program that people write first
 * and against one thread of C.
 */
export async function replay({ directory, lines, keys, pairs }) {
  const script = join(directory, 'script.in')
  writeScript(script, { lines, keys })
  const { inMemory, durable, naive, c, durableC } = await programsOf(directory, script)
  return [
    ...(await against('replay in memory', atLeast(2), lines, pairs, { ours: inMemory, naive, c })),
    ...(await against('replay with durable oplogs', atLeast(1), lines, pairs, { ours: durable, naive, c: durableC })),
  ]
}

/** One replay against both of its references, all in turn. */
async function against(work, bar, count, pairs, { ours, naive, c }) {
  const rounds = await inTurn(pairs, c === undefined ? { ours, naive } : { ours, naive, c })
  const line = { work, count, unit: 'lines' }
  const pairsWith = (name) => rounds.map((round) => ({ ours: round.ours, reference: round[name] }))
  return [
    measured({ ...line, reference: 'naive-replay.mjs', bar, pairs: pairsWith('naive') }),
    c === undefined
      ? absent(work, 'the same in C', 'there is no C compiler here')
      : measured({ ...line, reference: 'the same in C', pairs: pairsWith('c') }),
  ]
}

async function programsOf(directory, script) {
  const fresh = async (run) => {
    const state = mkdtempSync(join(directory, 'replay-'))
    const seconds = await run(state)
    rmSync(state, { recursive: true, force: true })
    return seconds
  }
  const merganser = (flag) => () =>
    fresh((state) => {
      // Out of the checkout, so that no configuration file changes what is measured.
      const args = [path('../bin/merganser.js'), 'run', script, flag, '--quiet', '--state', state]
      return timeProcess(process.execPath, args, { cwd: directory })
    })
  const c = await compiled(directory)
  return {
    inMemory: merganser('--dry-run'),
    durable: merganser('--no-flush'),
    naive: () => timeProcess(process.execPath, [path('naive-replay.mjs'), script]),
    ...(c === undefined
      ? {}
      : { c: () => timeProcess(c, [script]), durableC: () => fresh((state) => timeProcess(c, [script, state])) }),
  }
}

/** The C reference, compiled; undefined where there is no compiler. */
async function compiled(directory) {
  const program = join(directory, 'replay-reference')
  try {
    await timeProcess('cc', ['-O3', '-march=native', '-pthread', path('replay-reference.c'), '-o', program])
    return program
  } catch {
    return undefined
  }
}
