import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fresh, merganserRun, path } from './merganser.mjs'
import { absent, atLeast, atMost, inTurn, limited, measured, median, noMoreThan } from './pairs.mjs'
import { runProcess, timeProcess } from './processes.mjs'
import { writeScript } from './script.mjs'

/**
 * A script replayed by whole processes, in memory and with durable oplogs, against one thread of C and against the
 * program that people write first; the memory that it takes; and what it takes to read those oplogs back.
 */
export async function replay({ directory, lines, keys, naiveLines, pairs }) {
  const script = join(directory, 'script.in')
  const naiveScript = join(directory, 'naive.in')
  const empty = join(directory, 'empty.in')
  writeScript(script, { lines, keys })
  writeScript(naiveScript, { lines: naiveLines, keys: Math.round((keys * naiveLines) / lines) })
  writeFileSync(empty, '')
  const c = await compiled(directory)
  const rounds = await inTurn(pairs, {
    memory: () => fresh(directory, (state) => merganserRun(directory, [script, '--dry-run', '--state', state])),
    ...(c === undefined ? {} : { cMemory: () => runProcess(c, [script]) }),
    durable: () => fresh(directory, (state) => durableAndBack(directory, state, script, empty)),
    ...(c === undefined ? {} : { cDurable: () => fresh(directory, (state) => runProcess(c, [script, state])) }),
    naive: () => runProcess(process.execPath, [path('naive-replay.mjs'), naiveScript]),
  })
  return [
    againstC('replay in memory', atLeast(0.6), lines, rounds, 'memory', 'cMemory'),
    againstC('replay with durable oplogs', atLeast(0.8), lines, rounds, 'durable', 'cDurable'),
    againstNaive('replay in memory', lines, naiveLines, rounds, 'memory'),
    againstNaive('replay with durable oplogs', lines, naiveLines, rounds, 'durable'),
    memory('memory of the replay in memory', rounds, 'memory'),
    memory('memory of the replay with durable oplogs', rounds, 'durable'),
    measured({
      work: 'restart: reading back those oplogs',
      reference: 'the replay that wrote them',
      bar: atMost(1),
      pairs: rounds.map(({ durable }) => ({ ours: durable.back.seconds, reference: durable.seconds })),
      count: lines,
      unit: 'lines',
    }),
  ]
}

/** The replay with durable oplogs, then a session that only opens and closes over the state that it left. */
async function durableAndBack(directory, state, script, empty) {
  const wrote = await merganserRun(directory, [script, '--no-flush', '--state', state])
  return { ...wrote, back: await merganserRun(directory, [empty, '--no-flush', '--state', state]) }
}

function againstC(work, bar, lines, rounds, ours, theirs) {
  const reference = 'the same in C'
  if (rounds[0][theirs] === undefined) return absent(work, reference, 'there is no C compiler here')
  const pairs = rounds.map((round) => ({ ours: round[ours].seconds, reference: round[theirs].seconds }))
  const without = rounds.map((round) => ownSeconds(round[theirs].output) / round[ours].seconds)
  const note = `against C's own clock, without the start and end of its process: ${median(without).toFixed(2)}`
  return measured({ work, reference, bar, pairs, count: lines, unit: 'lines', note })
}

/** What the C reference says that it took. */
function ownSeconds(output) {
  return Number(/: ([\d.]+) s,/.exec(output)[1])
}

function againstNaive(work, lines, naiveLines, rounds, ours) {
  return measured({
    work,
    reference: 'naive-replay.mjs, per line',
    bar: atLeast(10),
    pairs: rounds.map((round) => ({ ours: round[ours].seconds, reference: round.naive.seconds })),
    count: lines,
    referenceCount: naiveLines,
    unit: 'lines',
  })
}

function memory(work, rounds, ours) {
  return limited({ work, bar: noMoreThan(350, 'MB'), amounts: rounds.map((round) => round[ours].peak) })
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
