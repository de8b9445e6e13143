import { cpus, totalmem } from 'node:os'

const HEADS = ['work', 'against', 'bar', 'figure', 'min–max', '', 'ours', 'reference', 'pairs', 'rate']

/** The results as a Markdown table, columns aligned. */
export function tableOf(results) {
  const rows = [HEADS, ...results.map(cells)]
  const widths = HEADS.map((_, c) => Math.max(3, ...rows.map((row) => row[c].length)))
  const line = (row) => `| ${row.map((cell, c) => cell.padEnd(widths[c])).join(' | ')} |`
  const [head, ...body] = rows.map(line)
  return [head, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...body].join('\n')
}

function cells(result) {
  const { work, reference, bar, verdict, figure, figures, pairs } = result
  if (figure === undefined) return [work, reference, '', '', '', verdict, '', '', '', '']
  const amounts = bar?.kind === 'amount'
  const digits = amounts ? 1 : 2
  const shown = amounts ? `${figure.toFixed(digits)} ${bar.unit}` : figure.toFixed(digits)
  const range = `${Math.min(...figures).toFixed(digits)}–${Math.max(...figures).toFixed(digits)}`
  const both = amounts ? levels(result) : seconds(result)
  return [work, reference, barText(bar, reference), shown, range, verdict, ...both, String(pairs.length), rate(result)]
}

function seconds({ seconds: { ours, reference } }) {
  return [ours, reference].map((value) => `${value.toFixed(3)} s`)
}

function levels({ levels: { ours, reference }, bar }) {
  return [ours, reference].map((value) => (value === undefined ? '' : `${value.toFixed(1)} ${bar.unit}`))
}

function rate({ count, unit, seconds }) {
  return count === undefined ? '' : `${grouped(Math.round(count / seconds.ours))} ${unit}/s`
}

function barText(bar, reference) {
  if (bar === undefined) return 'none: of its time'
  if (bar.kind === 'amount') return `<= ${bar.value} ${bar.unit}${reference === '' ? '' : ' more'}`
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
  const earlier = results.filter((result) => result.date !== date).map(({ work, date: day }) => `${work} (${day})`)
  if (earlier.length > 0) notes.push(`- measured by an earlier run: ${earlier.join('; ')}`)
  return `# Results of \`npm run bench\`

Written by the run of ${date} (size ${size}, ${Math.round(seconds)} s). Each line is Merganser and its reference
in turn. A figure is the median of the ratios of times (ours to the reference's) or, where the bar is a speed, of
speeds. Of amounts it is the largest or, beside a reference, the median of how much more they are.

- ${grouped(sizes.lines)} lines over ${grouped(sizes.keys)} keys replayed, ${grouped(sizes.naiveLines)} lines by \`naive-replay.mjs\`
- ${grouped(sizes.merged)} keys merged, ${grouped(sizes.sets)} SETs, ${grouped(sizes.values * 10)} values of 1 KB, ${grouped(sizes.rows)} rows a flush
- ${grouped(sizes.gets)} keys that a GET misses, ${grouped(sizes.copied)} rows copied
- Node ${from.node}, ${from.platform}, ${from.cores} cores (${from.cpu}), ${from.memory}

${tableOf(results)}
${notes.length === 0 ? '' : `\n${notes.join('\n')}\n`}
What is measured:

- replay: whole processes, start and end included. In memory is \`merganser run FILE --dry-run --quiet\`, with durable
  oplogs \`merganser run FILE --no-flush --quiet\` in a new state directory, three replicas in both. The C reference
  checks nothing and recovers nothing: a bound, not a product. \`naive-replay.mjs\` writes no oplogs.
- memory: the most that such a process had resident.
- restart: \`merganser run\` of an empty script over the state directory that the replay with durable oplogs left.
- merge: \`session.merge\` of a program, under a dry run; both sides hold all keys, the merged ones were changed.
  A few among many: ten merges in a row, the changed keys spread over all.
- single SETs: \`session.set\` of a program, under a dry run, all keys new.
- columns: scripts run in memory, ten SETs a key. The time that a script of no lines takes is taken off both.
- values: a script run in memory; the reference reads the same file and knows where in each line the value stands.
- opening: from the first import of what only the one of them needs to the open session, in a new state directory;
  memory is the most that the process had resident.
- flush into embedded PostgreSQL: from a session's cache to the database's confirmation, as SYNC and the end of a run
  do it. The reference has its rows ready as the bytes of a binary COPY and runs the same statements in one transaction
  on the same server.
- three flushes side by side: one session's flushes into three embedded databases at once, rows that they hold already
  with later stamps, against the slowest of the three alone.
- flushes into servers: as the one into embedded PostgreSQL, databases and session new for each pair. psql, with the
  statements of \`postgres-bulk.sql\`, and mongoimport, with four workers, unguarded and as durable as Merganser, are
  whole processes that read ready files; Hive's reference loads a ready Parquet file and runs the same MERGE.
- GET misses: a program asks a session that was just opened for all keys at once; the reference asks for one after the
  other. Single queries of Hive take so long that a few of them stand for all.
- copies: whole processes, into empty databases; the reference is psql's COPY into a CSV file and then mongoimport,
  or LOAD DATA into a table of text and an INSERT from it.
- what has no figure was not measured: the notes say what is missing here.
- diff: \`merganser diff\` of two databases with the same rows, a whole process. The plain scan of the reference is what
  a program does with the driver alone, a process too: a cursor over all columns in the order of the key, each row
  counted; of PostgreSQL and PostgreSQL with \`--no-digests\`, since both could work out digests. The digest query is
  the one that \`diff\` asks, by a process that only connects and asks it. Beside it stands the time of psql's COPY.
`
}
