import { cpus, totalmem } from 'node:os'

const HEADS = ['work', 'against', 'bar', 'median ratio', 'min–max', '', 'ours', 'reference', 'pairs', 'rate']

/** The results as a Markdown table, columns aligned. */
export function tableOf(results) {
  const rows = [HEADS, ...results.map(cells)]
  const widths = HEADS.map((_, c) => Math.max(3, ...rows.map((row) => row[c].length)))
  const line = (row) => `| ${row.map((cell, c) => cell.padEnd(widths[c])).join(' | ')} |`
  const [head, ...body] = rows.map(line)
  return [head, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...body].join('\n')
}

function cells({ work, reference, bar, verdict, ratio, ratios, seconds, pairs, count, unit }) {
  if (ratio === undefined) return [work, reference, '', '', '', verdict, '', '', '', '']
  const rate = count === undefined ? '' : `${grouped(Math.round(count / seconds.ours))} ${unit}/s`
  const range = `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`
  const times = [seconds.ours, seconds.reference].map((value) => `${value.toFixed(3)} s`)
  return [work, reference, barText(bar), ratio.toFixed(2), range, verdict, ...times, String(pairs.length), rate]
}

function barText(bar) {
  if (bar === undefined) return 'none: of its time'
  return bar.kind === 'speed' ? `>= ${bar.value} of its speed` : `<= ${bar.value} of its time`
}

const grouped = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ',')

/** Where the figures come from. */
export function machine() {
  const [cpu] = cpus()
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpu?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
  }
}

/** `bench/RESULTS.md`. */
export function document({ size, sizes, machine: from, results, seconds, date }) {
  const notes = results.flatMap(({ work, note }) => (note === undefined ? [] : [`- ${work}: ${note}`]))
  return `# Results of \`npm run bench\`

Written by the run of ${date} (size ${size}, ${Math.round(seconds)} s). Each line is Merganser and its reference
in turn; a ratio is of times (ours to the reference's) or, where the bar is a speed, of speeds.

- ${grouped(sizes.lines)} lines over ${grouped(sizes.keys)} keys replayed, ${grouped(sizes.rows)} rows a flush
- Node ${from.node}, ${from.platform}, ${from.cores} cores (${from.cpu}), ${from.memory}

${tableOf(results)}
${notes.length === 0 ? '' : `\n${notes.join('\n')}\n`}
What is measured:

- replay: whole processes, start and end included. In memory is \`merganser run FILE --dry-run --quiet\`, with durable
  oplogs \`merganser run FILE --no-flush --quiet\` in a new state directory. The C reference checks nothing and
  recovers nothing: a bound, not a product.
- flush into embedded PostgreSQL: from a session's cache to the database's confirmation, as SYNC and the end of a run
  do it. The reference has its rows ready as the bytes of a binary COPY and runs the same statements in one transaction
  on the same server.
- three flushes side by side: one session's flushes into three embedded databases at once, rows that they hold already
  with later stamps, against the slowest of the three alone.
`
}
