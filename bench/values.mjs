import { join } from 'node:path'
import { fresh, merganserRun, path } from './merganser.mjs'
import { atMost, inTurn, measured } from './pairs.mjs'
import { runProcess } from './processes.mjs'
import { randomBelow, writeLines } from './script.mjs'

const VALUE_BYTES = 1024
const TIMES = 10
const STRIDE = 7_919

/** Large values, overwritten again and again, against copying their bytes from the same file, where they are known. */
export async function values({ directory, values: keys, pairs }) {
  const script = join(directory, 'values.in')
  const head = (number) => `HIVE.SET((SID${String(1_000_000 + number)},CSE001), `
  const text = letters()
  const below = randomBelow()
  writeLines(
    script,
    keys * TIMES,
    (i) => {
      const start = below(text.length - VALUE_BYTES)
      return `${head((i * STRIDE) % keys)}${text.slice(start, start + VALUE_BYTES)})\n`
    },
    { block: 1_000 },
  )
  const layout = [head(0).length, VALUE_BYTES, head(0).length + VALUE_BYTES + 2, keys].map(String)
  const rounds = await inTurn(pairs, {
    ours: () => fresh(directory, (state) => merganserRun(directory, [script, '--dry-run', '--state', state])),
    reference: () => runProcess(process.execPath, [path('copy-values.mjs'), script, ...layout]),
  })
  const peaks = rounds.map(({ ours }) => ours.peak).filter((peak) => peak !== undefined)
  return [
    measured({
      work: 'values of 1 KB, each overwritten 10 times',
      reference: 'copying their bytes once',
      bar: atMost(3),
      pairs: rounds.map(({ ours, reference }) => ({ ours: ours.seconds, reference: reference.seconds })),
      count: keys * TIMES,
      unit: 'values',
      ...(peaks.length === 0 ? {} : { note: `at most ${Math.max(...peaks).toFixed(0)} MB of memory` }),
    }),
  ]
}

/** Text to cut values from: any letters, but always the same. */
function letters() {
  const below = randomBelow()
  return Array.from({ length: 1 << 16 }, () => String.fromCharCode(97 + below(26))).join('')
}
