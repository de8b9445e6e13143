import { readdir } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { read } from './support.ts'

const text = await read('ARCHITECTURE.md')

/** The section of each invariant: from its heading to the next one. */
const sections = new Map(
  [...text.matchAll(/^### (I\d+) [\s\S]*?(?=^##|\n$(?![\s\S]))/gm)].map((match) => [match[1]!, match[0]]),
)

test('every invariant has its section, with a test that holds it', async () => {
  expect([...sections.keys()]).toEqual(Array.from({ length: 15 }, (_, i) => `I${String(i + 1)}`))
  for (const [name, section] of sections) {
    const named = [...section.matchAll(/^- `((?:test|src)\/[\w./-]+)`: (.*)$/gm)]
    expect(named.length, `${name} names a test`).toBeGreaterThan(0)
    for (const [, file, test] of named) {
      const source = await read(file!)
      const written = ["'", '"', '`'].map((quote) => `${quote}${test!}${quote}`)
      expect(
        written.some((spelling) => source.includes(spelling)),
        `${name}: ${file!} has the test ${test!}`,
      ).toBe(true)
    }
  }
})

test('the table of folders has each folder of src', async () => {
  const entries = await readdir(new URL('../../src/', import.meta.url), { withFileTypes: true })
  for (const entry of entries.filter((one) => one.isDirectory())) {
    expect(text).toMatch(new RegExp(`^\\| \`${entry.name}/\` \\|`, 'm'))
  }
})
