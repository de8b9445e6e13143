import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { programOf } from '../../src/cli/main.ts'
import { Shell } from '../../src/cli/shell.ts'
import { DOCUMENTS, read, ROOT } from './support.ts'

/** Made by a run of the bench, which a checkout may not have had yet. */
const GENERATED = ['bench/RESULTS.md']

const texts = new Map(await Promise.all(DOCUMENTS.map(async (path) => [path, await read(path)] as const)))
const program = programOf(new Shell({ debug: false }), '0.0.0')

/** The fragments that a page's headings have. */
function fragmentsOf(text: string): Set<string> {
  const headings = [...text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.*)$/gm)].map((match) => match[1]!)
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  )
}

test.each(DOCUMENTS)('the links of %s lead somewhere', (path) => {
  const text = texts.get(path)!.replace(/^```[\s\S]*?^```$/gm, '')
  for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^https?:/.test(target!)) continue
    const [file, fragment] = target!.split('#') as [string, string?]
    const place = file === '' ? path : join(dirname(path), file)
    expect(existsSync(join(ROOT, place)), `${path} links to ${target!}`).toBe(true)
    const page = texts.get(place)
    if (fragment !== undefined && page !== undefined) {
      expect(fragmentsOf(page), `${path} links to ${target!}`).toContain(fragment)
    }
  }
})

/** Command lines of a document: in blocks, and whole spans of code. */
function commandLines(text: string): string[] {
  const blocks = [...text.matchAll(/^```(?:sh|bash)?\n([\s\S]*?)^```$/gm)].map((match) => match[1]!)
  const spans = [...text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/`([^`]+)`/g)].map((match) =>
    match[1]!.replace(/\s+/g, ' '),
  )
  return [...blocks.flatMap((block) => block.split('\n')), ...spans].map((line) => line.replace(/\s+#.*$/, '').trim())
}

const takes = (command: Command, option: string) =>
  option === '--help' ||
  option === '--version' ||
  command.options.some(({ long, short }) => option === long || option === short)

test.each(DOCUMENTS)('the commands and options that %s shows exist', (path) => {
  for (const line of commandLines(texts.get(path)!)) {
    const words = /^(?:node bin\/merganser\.js|(?:.*\| )?merganser) (.*)$/.exec(line)?.[1]?.split(/\s+/)
    if (words === undefined) continue
    const command = program.commands.find((one) => one.name() === words[0]) ?? program
    const named = words[0]!.startsWith('-') || words[0] === 'help' || /^[A-Z]+$/.test(words[0]!)
    expect(command !== program || named, `${path}: ${line}`).toBe(true)
    for (const word of words.filter((one) => /^--?[a-z]/.test(one))) {
      expect(takes(command, word.replace(/[=,.;)].*$/, '')), `${path}: ${word} in ${line}`).toBe(true)
    }
  }
})

test('every command has a line in the README', () => {
  const readme = texts.get('README.md')!
  for (const command of program.commands) expect(readme).toMatch(new RegExp(`merganser ${command.name()}\\b`))
})

test('the npm scripts and files that the documents name exist', async () => {
  const { scripts } = JSON.parse(await read('package.json')) as { scripts: Record<string, string> }
  for (const [path, text] of texts) {
    for (const [, name] of text.matchAll(/\bnpm (?:run )?([a-z]+(?::[a-z]+)?)\b/g)) {
      if (['ci', 'install'].includes(name!)) continue
      expect(Object.keys(scripts), `${path}: npm ${name!}`).toContain(name)
    }
    for (const [, file] of text.matchAll(/`((?:src|test|bench|scripts|bin|examples|docs)\/[\w./-]+)`/g)) {
      expect(GENERATED.includes(file!) || existsSync(join(ROOT, file!)), `${path} names ${file!}`).toBe(true)
    }
  }
})
