/** So many tests that are skipped for one reason are named; of more, how many there are. */
const NAMED = 3
/** Failures that are told again at the end, and how much of each: what went wrong may stand thousands of lines above. */
const TOLD = 10
const LINES = 6
const WIDTH = 160

/**
 * The closing lines of a run of the tests and whether it may pass, from its results, whether the checks before it
 * passed, and the servers that it requires: without one of those, or with a skipped test where any is required, it fails.
 */
export function summary({ results, checked, required }) {
  const { passed, failures, skipped, missing } = results
  const failed = failures.length
  const lines = [...failures.slice(0, TOLD).flatMap(failureLines), ...skippedLines(skipped)]
  for (const [name, reason] of Object.entries(missing)) {
    lines.push(`${required.includes(name) ? 'required, but not here' : 'not here'}: ${name}: ${reason}`)
  }
  const lacking = required.filter((name) => missing[name] !== undefined)
  const refused = required.length > 0 ? skipped.length : 0
  if (refused > 0) lines.push(`MERGANSER_REQUIRE is set: ${tests(refused)} skipped, which is a failure of the run`)
  if (!checked) lines.push('a check before the tests failed: see above')
  lines.push(`${String(passed)} passed, ${String(failed + refused)} failed`)
  return { ok: checked && failed === 0 && refused === 0 && lacking.length === 0, lines }
}

function failureLines({ name, reason }) {
  const lines = reason.split('\n').filter((line) => line.trim() !== '')
  return [`failed ${name}`, ...lines.slice(0, LINES).map((line) => `    ${line.slice(0, WIDTH)}`)]
}

function skippedLines(skipped) {
  const reasons = new Map()
  for (const { name, reason } of skipped) reasons.set(reason, [...(reasons.get(reason) ?? []), name])
  return [...reasons].flatMap(([reason, names]) =>
    names.length <= NAMED
      ? names.map((name) => `skipped ${name} (${reason})`)
      : `skipped ${tests(names.length)} (${reason})`,
  )
}

const tests = (count) => `${String(count)} ${count === 1 ? 'test' : 'tests'}`
