/**
 * Measures works in turn, `count` rounds: what each gives (its seconds), by name. Which one is first changes each time,
 * so that none always follows the same other.
 * @param works by name
 * @param first the number of the first round: the even ones go forwards
 */
export async function inTurn(count, works, first = 0) {
  const rounds = []
  for (let i = first; i < first + count; i++) {
    const round = {}
    const names = Object.keys(works)
    for (const name of i % 2 === 0 ? names : names.reverse()) round[name] = await works[name]()
    rounds.push(round)
  }
  return rounds
}

/** The same for two works, `{ ours, reference }`. */
export function inPairs(count, ours, reference, first = 0) {
  return inTurn(count, { ours, reference }, first)
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** `ours` takes at most `value` times as long as the reference. */
export const atMost = (value) => ({ kind: 'time', value })

/** `ours` is at least `value` times as fast as the reference. */
export const atLeast = (value) => ({ kind: 'speed', value })

/** `ours` is no more than `value` of `unit`, whatever the reference. */
export const noMoreThan = (value, unit) => ({ kind: 'amount', value, unit })

/**
 * One line of the results: ratios of times.
 * @param bar from `atMost` or `atLeast`; undefined where a figure is only shown beside another, as a share of its time
 * @param pairs seconds
 * @param count what is done in the time, such as lines
 * @param referenceCount what the reference does, where that is something else: the ratio is of times for the same
 */
export function measured({ work, reference, bar, pairs, count, referenceCount = count, unit, note }) {
  const share = count === undefined ? 1 : referenceCount / count
  const ratios = pairs.map(({ ours, reference: theirs }) => {
    const times = (ours * share) / theirs
    return bar?.kind === 'speed' ? 1 / times : times
  })
  const ratio = median(ratios)
  const verdict = bar === undefined ? 'shown' : passes(bar, ratio) ? 'pass' : 'miss'
  const seconds = {
    ours: median(pairs.map((pair) => pair.ours)),
    reference: median(pairs.map((pair) => pair.reference)),
  }
  return { work, reference, bar, verdict, figure: ratio, figures: ratios, seconds, pairs, count, unit, note }
}

/**
 * One line of the results: amounts with a limit of their own. The figure is the largest, or the median of how much more
 * ours are than the reference's.
 * @param bar from `noMoreThan`
 * @param amounts of ours
 * @param than of the reference, in turn with ours; without them ours are held against the bar themselves
 */
export function limited({ work, reference = '', bar, amounts, than, note }) {
  if (amounts.includes(undefined)) return absent(work, reference, 'this system does not tell')
  const figures = than === undefined ? amounts : amounts.map((amount, i) => amount - than[i])
  const figure = than === undefined ? Math.max(...figures) : median(figures)
  const verdict = figure <= bar.value ? 'pass' : 'miss'
  const levels = { ours: median(amounts), reference: than === undefined ? undefined : median(than) }
  return { work, reference, bar, verdict, figure, figures, levels, pairs: figures, note }
}

/** A line for what couldn't be measured here. */
export function absent(work, reference, note) {
  return { work, reference, verdict: 'absent', pairs: [], figures: [], note }
}

function passes({ kind, value }, ratio) {
  return kind === 'speed' ? ratio >= value : ratio <= value
}
