import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { beforeSummary, blocksOf, merganser, read, workspace, type Block } from './support.ts'

const blocks = blocksOf(await read('docs/language.md'))
const configuration = blocks.find(({ kind }) => kind === 'yaml')!.text
const directory = await workspace()

interface Example {
  readonly line: number
  readonly script: string
  readonly prints: string
}

/** Each script, with the block behind it if nothing stands between. */
const examples: readonly Example[] = blocks.flatMap((block, i) => {
  if (block.kind !== 'merganser') return []
  const next: Block | undefined = blocks[i + 1]
  const prints = next?.kind === 'text' && next.before.trim() === '' ? next.text : ''
  return [{ line: block.line, script: block.text, prints }]
})

/** Runs a script over empty replicas, past its errors. */
async function told(name: string, script: string): Promise<string> {
  const cwd = join(directory, name)
  await mkdir(cwd)
  await writeFile(join(cwd, 'merganser.yaml'), configuration)
  await writeFile(join(cwd, 'script.in'), script)
  const { out, err } = await merganser(['run', '--dry-run', '--keep-going', 'script.in'], cwd)
  return out + beforeSummary(err)
}

test('the page has an example for every operation', () => {
  const scripts = examples.map(({ script }) => script).join('')
  for (const op of 'SET GET DELETE MERGE FULL_SYNC SYNC UNDO COMMIT ROLLBACK EXIT'.split(' ')) {
    expect(scripts).toMatch(new RegExp(`^(?:[A-Z]+\\.)?${op}\\b`, 'm'))
  }
})

test.concurrent.each(examples)(
  'the example at line $line of docs/language.md prints what stands there',
  async (example) => {
    const { line, script, prints } = example
    expect(await told(String(line), script)).toBe(prints)
  },
)

test('the oplog on the page is a script that runs as it says', async () => {
  const { text } = blocks.find(({ kind }) => kind === 'oplog')!
  expect(await told('oplog', text)).toBe('HIVE.GET((SID1,CSE1)) = B\n')
})

test('every block behind a script is the output of one', () => {
  const outputs = blocks.filter(({ kind }) => kind === 'text')
  expect(outputs).toHaveLength(examples.filter(({ prints }) => prints !== '').length)
})
