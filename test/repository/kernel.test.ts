import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { expect, test } from 'vitest'

const KERNEL = join(import.meta.dirname, '../../src/kernel')
/** The only file that may touch the linear memory itself. */
const MEMORY = join('assembly', 'memory.ts')

const entries = await readdir(KERNEL, { recursive: true, withFileTypes: true })
const names = entries.filter((entry) => entry.name.endsWith('.ts')).map((entry) => join(entry.parentPath, entry.name))
const files = await Promise.all(
  names.sort().map(async (path) => ({ name: relative(KERNEL, path), lines: lines(await readFile(path, 'utf8')) })),
)
const assembly = files.filter(({ name }) => name.startsWith('assembly'))

/** The lines of a text, comments blanked. */
function lines(text: string): string[] {
  const blanked = text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ''))
  return blanked.split('\n').map((line) => line.replace(/\/\/.*$/, ''))
}

/** The places where a pattern is met, `file:line`. */
function places(where: typeof files, pattern: RegExp): string[] {
  return where.flatMap(({ name, lines }) =>
    lines.flatMap((line, i) => (pattern.test(line) ? [`${name}:${String(i + 1)}`] : [])),
  )
}

test('no file of the kernel has more than 500 lines', () => {
  expect(files.filter(({ lines }) => lines.length > 501).map(({ name }) => name)).toEqual([])
})

test("one file of the kernel's assembly touches the memory, all others go through it", () => {
  const others = assembly.filter(({ name }) => name !== MEMORY)
  expect(places(others, /\b(?:load|store)\s*<|\b(?:atomic|memory|heap)\s*\.|\bv128\s*\.\s*(?:load|store)/)).toEqual([])
})

test("the kernel's assembly has no decorators", () => {
  expect(places(assembly, /@\w/)).toEqual([])
})
