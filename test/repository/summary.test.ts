import { expect, test } from 'vitest'

interface Results {
  readonly passed: number
  readonly failures: { name: string; reason: string }[]
  readonly skipped: { name: string; reason: string }[]
  readonly missing: Record<string, string>
}
const { summary } = (await import(new URL('../../scripts/summary.mjs', import.meta.url).href)) as {
  summary: (run: { results: Results; checked: boolean; required: string[] }) => { ok: boolean; lines: string[] }
}

const passed: Results = { passed: 7, failures: [], skipped: [], missing: {} }
const skips = (count: number, reason: string) =>
  Array.from({ length: count }, (_, i) => ({ name: `a.test.ts: case ${String(i)}`, reason }))

test('a hundred tests that are skipped for one reason are one line', () => {
  const missing = { hive: 'install Maven (mvn)' }
  const skipped = [...skips(100, 'hive: install Maven (mvn)'), ...skips(1, 'Linux only')]
  expect(summary({ results: { ...passed, skipped, missing }, checked: true, required: [] })).toEqual({
    ok: true,
    lines: [
      'skipped 100 tests (hive: install Maven (mvn))',
      'skipped a.test.ts: case 0 (Linux only)',
      'not here: hive: install Maven (mvn)',
      '7 passed, 0 failed',
    ],
  })
})

test('where a server is required, one that is missing and any skipped test fail the run', () => {
  const missing = { hive: 'install Maven (mvn)' }
  const without = summary({ results: { ...passed, missing }, checked: true, required: ['hive'] })
  expect(without.ok).toBe(false)
  expect(without.lines).toContain('required, but not here: hive: install Maven (mvn)')
  const skipping = summary({ results: { ...passed, skipped: skips(2, 'x') }, checked: true, required: ['postgres'] })
  expect(skipping.ok).toBe(false)
  expect(skipping.lines.at(-1)).toBe('7 passed, 2 failed')
  expect(summary({ results: passed, checked: true, required: ['postgres'] }).ok).toBe(true)
})

test('a check that failed fails the run of tests that pass', () => {
  expect(summary({ results: passed, checked: false, required: [] })).toEqual({
    ok: false,
    lines: ['a check before the tests failed: see above', '7 passed, 0 failed'],
  })
})

test('what failed is told again at the end, as far as its first lines say it', () => {
  const failures = [{ name: 'a.test.ts: case 1', reason: `DATABASE_REFUSED: no\n\n${'line\n'.repeat(9)}` }]
  const { ok, lines } = summary({ results: { ...passed, failures }, checked: true, required: [] })
  expect(ok).toBe(false)
  const told = ['failed a.test.ts: case 1', '    DATABASE_REFUSED: no', ...Array<string>(5).fill('    line')]
  expect(lines).toEqual([...told, '7 passed, 1 failed'])
})
