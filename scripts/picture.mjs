import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { ROOT, say } from './run.mjs'
import { setUpOrExit } from './setup.mjs'

/*
 * `node scripts/picture.mjs` draws docs/quickstart.svg from a run of the quick start; with --check it only says whether
 * the picture is what such a run gives. What differs from run to run is set: stamps, durations, digests.
 */

const PICTURE = join(ROOT, 'docs/quickstart.svg')
const PROMPT = 'npm start'
const FIRST_STAMP = 956_711_651
const SHOWN_SECOND = '2026-11-22 15:11:21.'
const DIGESTS = ['bcfb5eacebce1a3b', '5e72b1e8935353b7', '855397a9b95152d7']
/** Those of one run on a machine of two cores: the whole, then each replica's flush. */
const DURATIONS = ['1.20 s', '0.46 s', '1.12 s', '0.27 s']

/** Results and messages of the quick start in an empty directory. */
function quickStart() {
  const directory = mkdtempSync(join(tmpdir(), 'merganser-picture-'))
  try {
    cpSync(join(ROOT, 'examples'), join(directory, 'examples'), { recursive: true })
    const args = [join(ROOT, 'bin/merganser.js'), 'run', 'examples/quickstart.in']
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: directory, encoding: 'utf8' })
    if (status !== 0) throw new Error(`the quick start ended with status ${String(status)}:\n${stderr}`)
    return { results: stdout, messages: stderr }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The lines of the picture: what is told before the summary depends on how long things take, and is left out. */
function linesOf({ results, messages }) {
  const told = messages.trimEnd().split('\n')
  const summary = told.slice(told.findIndex((line) => / in \d+\.\d\d s$/.test(line)))
  return [...results.trimEnd().split('\n'), '', ...settled(summary)]
}

/** Sets stamps, durations and digests; what is equal stays equal, and stamps keep their order. */
function settled(lines) {
  const text = lines.join('\n')
  const stamps = [...new Set(text.match(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9}Z/g))].sort()
  const digests = [...new Set(text.match(/\b[0-9a-f]{16}\b/g))]
  let shown = text
  stamps.forEach((stamp, i) => {
    shown = shown.replaceAll(stamp, `${SHOWN_SECOND}${String(FIRST_STAMP + i)}Z`)
  })
  digests.forEach((digest, i) => {
    shown = shown.replaceAll(digest, DIGESTS[i])
  })
  let next = 0
  return shown.replace(/ +\d+\.\d\d s\b/g, (column) => ` ${DURATIONS[next++]}`.padStart(column.length)).split('\n')
}

const SIZE = { font: 14, character: 8.43, line: 20, margin: 22, bar: 36 }

/** Classes of a line's parts, as the program colours them on a terminal. */
function partsOf(line) {
  const answer = /^([A-Z]+\.GET\(\(.*\)\)) = (.*)$/.exec(line)
  if (answer !== null)
    return [
      [answer[1], ''],
      [' = ', 'dim'],
      [answer[2], 'value'],
    ]
  if (line.startsWith('converged')) return [[line, 'good']]
  if (/^\d+ conflict/.test(line)) return [[line, 'warn']]
  const seen = /^( {4}see {5})(.*)$/.exec(line)
  if (seen !== null)
    return [
      [seen[1], ''],
      [seen[2], 'dim'],
    ]
  return [[line, '']]
}

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

const span = ([text, kind]) => (kind === '' ? escaped(text) : `<tspan class="${kind}">${escaped(text)}</tspan>`)

function draw(lines) {
  const { font, character, line, margin, bar } = SIZE
  const rows = [
    [
      ['$ ', 'dim'],
      [PROMPT, 'value'],
    ],
    ...lines.map(partsOf),
  ]
  const longest = Math.max(...rows.map((parts) => parts.reduce((sum, [text]) => sum + text.length, 0)))
  const width = Math.ceil(longest * character + 2 * margin)
  const height = bar + rows.length * line + margin
  const texts = rows.flatMap((parts, i) => {
    const y = bar + (i + 1) * line - 4
    return parts.every(([text]) => text === '')
      ? []
      : [`  <text x="${margin}" y="${y}">${parts.map(span).join('')}</text>`]
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="A terminal: npm start runs the quick start, shows its results and a summary">
  <style>
    text { font: ${font}px ui-monospace, 'SF Mono', Menlo, 'DejaVu Sans Mono', Consolas, monospace; fill: #d4dae3; white-space: pre }
    .dim { fill: #8691a3 }
    .value { fill: #ffffff; font-weight: 600 }
    .good { fill: #7ee08b }
    .warn { fill: #f0c674 }
  </style>
  <rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="10" fill="#171c26" stroke="#3b4557"/>
  <circle cx="22" cy="19" r="6" fill="#e8685f"/>
  <circle cx="42" cy="19" r="6" fill="#e0b04a"/>
  <circle cx="62" cy="19" r="6" fill="#6cbf5e"/>
${texts.map((text) => text.replace('<text ', '<text xml:space="preserve" ')).join('\n')}
</svg>
`
}

await setUpOrExit()
const picture = draw(linesOf(quickStart()))
if (!process.argv.includes('--check')) {
  writeFileSync(PICTURE, picture)
} else if (readFileSync(PICTURE, 'utf8') !== picture) {
  say('docs/quickstart.svg is not what the quick start prints: run `node scripts/picture.mjs`')
  process.exitCode = 1
}
