import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { newKernel } from './subjects.ts'

test('docs/kernel.md lists every function of the kernel, and no other', () => {
  const text = readFileSync(new URL('../../docs/kernel.md', import.meta.url), 'utf8')
  const section = text.slice(text.indexOf('## Functions'), text.indexOf('## Builds'))
  const listed = [...section.matchAll(/`(\w+)`/g)].map(([, name]) => name!)
  expect(new Set(listed).size).toBe(listed.length)
  expect(listed.sort()).toEqual(Object.keys(newKernel().kernel.call).sort())
})
