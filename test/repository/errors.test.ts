import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { ErrorCodes } from '../../src/core/errors.ts'

interface Row {
  readonly code: string
  readonly status: number
  readonly meaning: string
  readonly remedy: string
}

async function documented(): Promise<Row[]> {
  const text = await readFile(new URL('../../docs/errors.md', import.meta.url), 'utf8')
  const rows = text.matchAll(/^\| ([A-Z_]+) \| (\d+) \| (.+) \| (.+) \|$/gm)
  return Array.from(rows, ([, code, status, meaning, remedy]) => ({
    code: code!,
    status: Number(status),
    meaning: meaning!,
    remedy: remedy!,
  }))
}

test('docs/errors.md has each code of the registry once, with its exit status', async () => {
  const rows = await documented()
  const registry = Object.entries(ErrorCodes).map(([code, status]) => `${code} ${String(status)}`)
  expect(rows.map(({ code, status }) => `${code} ${String(status)}`).sort()).toEqual(registry.sort())
})

test('docs/errors.md says of each code what it means and what to do', async () => {
  for (const { code, meaning, remedy } of await documented()) {
    expect(meaning, code).toMatch(/^[A-Z].{15,}\.$/)
    expect(remedy, code).toMatch(/^[A-Z].{7,}\.$/)
  }
})
