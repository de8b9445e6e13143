import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseConfig } from '../../src/config/parse.ts'
import { connectorTypes, loadConnector } from '../../src/connectors/registry.ts'
import { blocksOf, read } from './support.ts'

const env = { POSTGRES_URL: 'postgres://localhost/school', MONGODB_URL: 'mongodb://localhost/school' }
const types = [...new Set([...connectorTypes, 'postgres', 'mongodb', 'hive'])]

const blocks = (await Promise.all(['README.md', 'docs/connecting.md'].map(read))).flatMap((text, page) =>
  blocksOf(text)
    .filter(({ kind }) => kind === 'yaml')
    .map(({ text: yaml, line }) => ({
      place: `${page === 0 ? 'README.md' : 'docs/connecting.md'}:${String(line)}`,
      yaml,
    })),
)

test.each(blocks)(
  'the configuration at $place is one, with options that its connectors take',
  async ({ place, yaml }) => {
    const cwd = '/nowhere'
    const config = parseConfig(yaml, { file: place, path: join(cwd, 'merganser.yaml'), cwd, env, types })
    for (const { type, options } of config.replicas) {
      const connector = await loadConnector(type)
      expect(() => connector?.options(options), place).not.toThrow()
    }
  },
)

test('each kind of server has its configuration on the page', () => {
  for (const type of ['postgres', 'mongodb', 'hive']) {
    expect(blocks.some(({ place, yaml }) => place.startsWith('docs') && yaml.includes(`type: ${type}`))).toBe(true)
  }
})
