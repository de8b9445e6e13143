import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { cruise, type ICruiseOptions, type ICruiseResult, type IFlattenedRuleSet } from 'dependency-cruiser'
import { afterAll, beforeAll, expect, test } from 'vitest'

/** One file for each end that an arrow may have: what each may import of the others. */
const CONNECTOR = ['connectors/connector.ts']
const BASE = ['core/a.ts', 'environment/a.ts']
const PARTS = [...BASE, 'script/a.ts', 'oplog/a.ts']
const ENGINE = [...PARTS, 'lanes/a.ts', 'engine/a.ts', ...CONNECTOR]
const KERNEL = ['kernel/a.ts', 'kernel/assembly/a.ts']
const ALL = [
  ...[...ENGINE, 'connectors/errors.ts', 'connectors/postgres/a.ts', 'core/model/a.ts', 'kernel/a.ts'],
  ...['verify/a.ts', 'simulation/a.ts', 'config/a.ts', 'testkit/a.ts', 'connectors/registry.ts', 'index.ts'],
  ...['library/a.ts', 'kernel/assembly/a.ts'],
]
const without = (list: string[], ...left: string[]) => list.filter((file) => !left.includes(file))

const MAY_IMPORT: Record<string, string[]> = {
  'core/a.ts': [],
  'core/model/a.ts': ['core/a.ts'],
  'environment/a.ts': [],
  'kernel/a.ts': BASE,
  'kernel/assembly/a.ts': [],
  'script/a.ts': BASE,
  'oplog/a.ts': BASE,
  'connectors/connector.ts': [...BASE, 'connectors/errors.ts', 'connectors/postgres/a.ts'],
  'connectors/postgres/a.ts': [...BASE, ...CONNECTOR, 'connectors/errors.ts'],
  'testkit/a.ts': [...BASE, ...CONNECTOR, 'connectors/errors.ts'],
  'lanes/a.ts': [...PARTS, ...CONNECTOR],
  'engine/a.ts': without(ENGINE, 'engine/a.ts'),
  'verify/a.ts': ENGINE,
  'simulation/a.ts': without(
    ALL,
    'simulation/a.ts',
    'config/a.ts',
    'testkit/a.ts',
    'connectors/registry.ts',
    'index.ts',
    'library/a.ts',
    'kernel/assembly/a.ts',
  ),
  'config/a.ts': ['core/a.ts'],
  'library/a.ts': [...PARTS, ...CONNECTOR, 'config/a.ts', 'engine/a.ts', 'verify/a.ts'],
  'cli/a.ts': [
    ...without(ALL, 'core/model/a.ts', ...KERNEL, 'connectors/registry.ts', 'library/a.ts'),
    'stranger/a.ts',
  ],
  'index.ts': [...without(ALL, 'index.ts', 'kernel/assembly/a.ts'), 'stranger/a.ts'],
  'worker.ts': [...without(ALL, 'core/model/a.ts', ...KERNEL, 'library/a.ts'), 'stranger/a.ts'],
  'other.ts': [],
  'stranger/a.ts': [],
}
const ENDS = [...new Set([...ALL, 'cli/a.ts', 'stranger/a.ts'])]

type Configuration = Pick<IFlattenedRuleSet, 'forbidden'> & { options: ICruiseOptions }
const location = new URL('../../.dependency-cruiser.mjs', import.meta.url).href
const { default: configuration } = (await import(location)) as { default: Configuration }

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'merganser-arrows-'))
})
afterAll(async () => {
  await rm(root, { recursive: true })
})

/** The violations `rule: from -> to` of a tree of files. */
async function violations(name: string, files: Record<string, string>): Promise<string[]> {
  const directory = join(root, name)
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, file)), { recursive: true })
    await writeFile(join(directory, file), text)
  }
  const { forbidden, options } = configuration
  const settings = { ...options, baseDir: directory, validate: true, ruleSet: { forbidden: forbidden ?? [] } }
  delete settings.tsConfig
  const { output } = await cruise(['src'], settings)
  const found = (output as ICruiseResult).summary.violations
  return found.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`)
}

function importing(from: string, targets: string[]): string {
  const up = '../'.repeat(from.split('/').length)
  return targets.map((to, i) => `import type * as m${String(i)} from '${up}src/${to}'\n`).join('')
}

test.each(Object.entries(MAY_IMPORT))(
  'src/%s may import what the design says, and nothing else',
  async (from, allowed) => {
    const targets = without(ENDS, from)
    const files = Object.fromEntries(targets.map((to) => [`src/${to}`, 'export type A = 1\n']))
    files[`src/${from}`] = importing(from, targets)
    const found = await violations(from.replaceAll('/', '-'), files)
    const refused = new Set(found.map((line) => /-> src\/(.*)$/.exec(line)![1]!))
    expect(targets.filter((to) => !refused.has(to)).sort()).toEqual([...allowed].sort())
  },
)

test('circles, loose ends, Node in the core, the real world in a lane, and imports of tests and tools are found', async () => {
  const found = await violations('others', {
    'src/engine/a.ts': "import type { B } from './b.ts'\nexport type A = B\n",
    'src/engine/b.ts': "import type { A } from './a.ts'\nexport type B = A\n",
    'src/engine/c.ts': "import { d } from './d.ts'\nexport const c = d\n",
    'src/core/a.ts': "import { readFileSync } from 'node:fs'\nexport const a = readFileSync\n",
    'src/lanes/a.ts':
      "import { join } from 'node:path'\nimport { setTimeout } from 'node:timers'\nexport const a = [join, setTimeout]\n",
    'src/engine/e.ts': "import { help } from '../../test/help.ts'\nexport const e = help\n",
    'test/help.ts': 'export const help = 1\n',
    'package.json': '{ "name": "x", "type": "module" }',
  })
  expect(found.sort()).toEqual([
    'no-circles: src/engine/a.ts -> src/engine/b.ts',
    'only-sources: src/engine/e.ts -> test/help.ts',
    'pure-core: src/core/a.ts -> fs',
    'resolvable: src/engine/c.ts -> ./d.ts',
    'world-by-environment: src/core/a.ts -> fs',
    'world-by-environment: src/lanes/a.ts -> timers',
  ])
})
