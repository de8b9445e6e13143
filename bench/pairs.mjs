/**
 * Measures works in turn, `count` rounds: their seconds by name. Which one is first changes each time, so that none
 * always follows the same other.
 * @param works by name, each gives its seconds
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

/**
 * One line of the results.
 * @param bar from `atMost` or `atLeast`; undefined where a figure is only shown beside another, as a share of its time
 * @param count what is done in the time, such as lines
 */
export function measured({ work, reference, bar, pairs, count, unit, note }) {
  const ratios = pairs.map((pair) => (bar?.kind === 'speed' ? pair.reference / pair.ours : pair.ours / pair.reference))
  const ratio = median(ratios)
  const verdict = bar === undefined ? 'shown' : passes(bar, ratio) ? 'pass' : 'miss'
  const seconds = {
    ours: median(pairs.map((pair) => pair.ours)),
    reference: median(pairs.map((pair) => pair.reference)),
  }
  return { work, reference, bar, verdict, ratio, ratios, seconds, pairs, count, unit, note }
}

/** A line for what couldn't be measured here. */
export function absent(work, reference, note) {
  return { work, reference, verdict: 'absent', pairs: [], ratios: [], note }
}

function passes({ kind, value }, ratio) {
  return kind === 'speed' ? ratio >= value : ratio <= value
}
