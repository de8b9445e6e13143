import { describe, it } from 'vitest'

/** The systems that tests run against for real. */
export type ServerKind = 'postgres' | 'mongodb' | 'hive' | 'ferretdb'

/** The URL of a real server; or why there is none here. */
export function server(kind: ServerKind): { url: string } | { missing: string } {
  const name = kind.toUpperCase()
  const url = process.env[`MERGANSER_TEST_${name}_URL`]
  if (url !== undefined && url !== '') return { url }
  return { missing: process.env[`MERGANSER_TEST_${name}_MISSING`] ?? `no MERGANSER_TEST_${name}_URL` }
}

/**
 * `describe` for tests on real servers; their URLs are given in the order of the kinds. Where one of them is missing,
 * one test stands there instead that is skipped with the reason; or fails with it where MERGANSER_REQUIRE names the kind.
 */
export function describeOn(kinds: readonly ServerKind[], name: string, body: (...urls: string[]) => void): void {
  const found = kinds.map(server)
  const urls = found.flatMap((one) => ('url' in one ? [one.url] : []))
  if (urls.length === kinds.length) {
    describe(name, () => {
      body(...urls)
    })
    return
  }
  const reasons = found.flatMap((one, i) => ('missing' in one ? [`${kinds[i]!}: ${one.missing}`] : []))
  const required = kinds.filter((kind, i) => 'missing' in found[i]! && isRequired(kind))
  it(name, ({ skip }) => {
    if (required.length > 0) throw new Error(`MERGANSER_REQUIRE names ${required.join(', ')}: ${reasons.join('; ')}`)
    skip(reasons.join('; '))
  })
}

function isRequired(kind: ServerKind): boolean {
  const names = process.env['MERGANSER_REQUIRE'] ?? ''
  return names.split(',').some((name) => name.trim() === kind)
}
