import { parseArgs } from 'node:util'

/** What is run, in this order; `--only` takes these names, and those of the files of `test/proof/`. */
export const PARTS = ['tests', 'kernel', 'simulation']

export const USAGE = `usage: npm run proof [-- options]
  --time T         how long, about: 90s, 10m, 8h (default: 10m). The tests take what they take, the kernel a tenth of it,
                   the simulation the rest
  --seeds N        so many seeds of the simulation and of the kernel instead
  --first-seed N   the first of them, and of the tests (default: another one each time, by the date)
  --times N        how often the tests make as many runs as in \`npm test\` (default: once, and once more for each half
                   hour of the time)
  --only NAMES     some of ${PARTS.join(', ')}, with commas between: what an earlier run found in the other parts
                   stays; or files of test/proof, whose results are kept with --json only
  --json FILE      where the results go (default: proof/results/latest.json)
  --report         write PROOF.md from the results: alone, of the latest ones; with other options after their run
Exit status: 0 nothing was found, 1 something was: its seed is told, and the run ends there; 130 interrupted. The results
are kept in each case.`

const UNITS = { s: 1, m: 60, h: 3600 }
const HALF_HOUR = 1800

/** Seconds of `90s`, `10m`, `8h`. */
export function secondsOf(text) {
  const match = /^(\d+(?:\.\d+)?)([smh])$/.exec(text)
  if (match === null || Number(match[1]) === 0)
    throw new Error(`--time takes a duration as 90s, 10m or 8h, not ${text}`)
  return Number(match[1]) * UNITS[match[2]]
}

/** Another one each time, with room for a billion seeds after it. */
function seedOfDate(date) {
  return Math.imul(Math.floor(date.getTime() / 1000), 0x9e3779b1) & 0x3fffffff
}

function count(name, text, least) {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < least || value > 2 ** 30) {
    throw new Error(`--${name} takes a whole number from ${least}`)
  }
  return value
}

/**
 * Throws an Error that says which option is wrong.
 * @param proofs names of the files of `test/proof/`
 */
export function optionsOf(args, proofs, latest, date = new Date()) {
  const { values } = parseArgs({
    args,
    options: {
      time: { type: 'string' },
      seeds: { type: 'string' },
      'first-seed': { type: 'string' },
      times: { type: 'string' },
      only: { type: 'string' },
      json: { type: 'string' },
      report: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const { time, seeds, times, json = latest, report, help } = values
  const only = values.only?.split(',')
  const some = only?.filter((name) => proofs.includes(name)) ?? []
  const unknown = only?.find((name) => !PARTS.includes(name) && !proofs.includes(name))
  if (unknown !== undefined) throw new Error(`there is no proof ${unknown}`)
  const seconds = secondsOf(time ?? '10m')
  const asked = ['time', 'seeds', 'first-seed', 'times', 'only'].some((name) => values[name] !== undefined)
  const firstSeed = values['first-seed']
  return {
    help,
    report,
    json,
    runs: asked || !report,
    parts: PARTS.filter((part) => only === undefined || only.includes(part) || (part === 'tests' && some.length > 0)),
    proofs: some,
    // Some proofs alone are no run that a report could be made of.
    keeps: some.length === 0 || values.json !== undefined,
    seconds: seeds !== undefined && time === undefined ? Infinity : seconds,
    seeds: seeds === undefined ? Infinity : count('seeds', seeds, 1),
    firstSeed: firstSeed === undefined ? seedOfDate(date) : count('first-seed', firstSeed, 0),
    times: times === undefined ? 1 + Math.floor(seconds / HALF_HOUR) : count('times', times, 1),
  }
}
