import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { defaultConfig } from '../../src/config/config.ts'
import { loadConfig, type ConfigSource } from '../../src/config/load.ts'
import { configJsonSchema } from '../../src/config/schema.ts'
import { MerganserError } from '../../src/core/errors.ts'
import { DEFAULT_TABLE } from '../../src/core/table.ts'
import { parse, TYPES } from './support.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'merganser-config-'))
})
afterAll(async () => {
  await rm(directory, { recursive: true })
})

function source(details: Partial<ConfigSource> = {}): ConfigSource {
  const read = async (path: string) => {
    try {
      return await readFile(path)
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
      throw error
    }
  }
  return { cwd: directory, env: {}, readFile: read, types: TYPES, ...details }
}

const rejection = async (details: Partial<ConfigSource>): Promise<unknown> =>
  await loadConfig(source(details)).catch((error: unknown) => error)

test('without a file the default table lies on three embedded replicas', async () => {
  const config = await loadConfig(source())
  expect(config).toEqual(defaultConfig(directory))
  expect(config.tables).toEqual([DEFAULT_TABLE])
  expect(config.replicas.map(({ name, type }) => `${name}: ${type}`)).toEqual([
    'HIVE: embedded-warehouse',
    'POSTGRESQL: embedded-postgres',
    'MONGODB: embedded-documents',
  ])
  expect(config.aliases).toEqual({ SQL: 'POSTGRESQL', MONGO: 'MONGODB' })
  expect(config.workers).toBe(50)
  expect(config.state).toBe(join(directory, '.merganser'))
})

test('a file in the working directory is found, and one that is named', async () => {
  const own = await mkdtemp(join(directory, 'own-'))
  await writeFile(join(own, 'merganser.yaml'), '\ufeffworkers: 3\r\nstate: data\r\n')
  await writeFile(join(own, 'other.yaml'), 'workers: 4\n')
  const found = await loadConfig(source({ cwd: own }))
  expect(found).toMatchObject({ workers: 3, state: join(own, 'data'), file: join(own, 'merganser.yaml') })
  expect(await loadConfig(source({ cwd: own, file: 'other.yaml' }))).toMatchObject({ workers: 4 })
  expect(await loadConfig(source({ file: join(own, 'other.yaml') }))).toMatchObject({
    workers: 4,
    state: join(directory, '.merganser'),
  })
})

test('a named file that is missing, a directory, binary or too large is a coded error', async () => {
  await writeFile(join(directory, 'binary.yaml'), Uint8Array.of(0xff, 0xfe, 0x00, 0x80))
  await writeFile(join(directory, 'large.yaml'), '#'.repeat(2 ** 20 + 1))
  for (const [file, message] of [
    ['missing.yaml', 'there is no such configuration file'],
    ['.', "the configuration file can't be read: it is a directory"],
    ['binary.yaml', 'a configuration file is text in UTF-8'],
    ['large.yaml', 'a configuration file has at most 256 KiB'],
  ] as const) {
    const error = await rejection({ file })
    expect(error).toBeInstanceOf(MerganserError)
    expect(error).toMatchObject({ code: 'BAD_CONFIG', message, place: { file } })
  }
})

test('an empty file, and empty sections, count as not there', () => {
  const config = parse('# all of it is commented out\n')
  expect(config.replicas).toHaveLength(3)
  expect(config.state).toBe(join('/work', '.merganser'))
  expect(parse('limits:\n#  keyBytes: 100\nreplicas:\n').limits).toEqual(config.limits)
})

test('every section is read', () => {
  const config = parse(`
tables:
  prices:
    key: { item: int64, day: date }
    values: { price: "decimal(10,2)", note: string }
replicas:
  Warehouse: { type: embedded-warehouse, memory: 1GB }
  eu_1: { type: postgres, url: "postgres://app@db/shop", pool: { size: 4 } }
aliases: { w: warehouse, EU: EU_1 }
workers: 8
limits: { keyBytes: 100, futureSeconds: 60 }
durability: { commitMilliseconds: 2, segmentBytes: 1048576 }
retry: { seconds: 5 }
state: ../data
`)
  expect(config.tables).toEqual([
    {
      name: 'prices',
      key: [
        { name: 'item', type: { name: 'int64' } },
        { name: 'day', type: { name: 'date' } },
      ],
      values: [
        { name: 'price', type: { name: 'decimal', precision: 10, scale: 2 } },
        { name: 'note', type: { name: 'string' } },
      ],
    },
  ])
  expect(config.replicas).toEqual([
    { name: 'WAREHOUSE', type: 'embedded-warehouse', options: { memory: '1GB' }, hidden: [] },
    { name: 'EU_1', type: 'postgres', options: { url: 'postgres://app@db/shop', pool: { size: 4 } }, hidden: [] },
  ])
  expect(config.aliases).toEqual({ W: 'WAREHOUSE', EU: 'EU_1' })
  expect(config).toMatchObject({ workers: 8, retry: { seconds: 5 }, state: '/srv/data' })
  expect(config.limits).toMatchObject({ keyBytes: 100, futureSeconds: 60, valueBytes: 524_288 })
  expect(config.durability).toMatchObject({ commitMilliseconds: 2, segmentBytes: 1_048_576 })
})

test('default aliases stand only for replicas that are there', () => {
  expect(parse('replicas: { MONGODB: { type: embedded-documents } }').aliases).toEqual({ MONGO: 'MONGODB' })
  const both = 'replicas: { POSTGRESQL: { type: postgres }, SQL: { type: postgres } }'
  expect(parse(both).aliases).toEqual({})
})

test('anchors and aliases of YAML may save writing', () => {
  const config = parse(`
replicas:
  A: &server { type: postgres, url: x }
  B: *server
`)
  expect(config.replicas.map(({ name, options }) => [name, options])).toEqual([
    ['A', { url: 'x' }],
    ['B', { url: 'x' }],
  ])
})

test('the configuration is plain data that crosses threads', () => {
  const config = parse('replicas: { A: { type: postgres, hosts: [a, b] } }')
  expect(structuredClone(config)).toEqual(config)
})

test('the JSON schema knows every section and refuses unknown keys', () => {
  const schema = configJsonSchema() as { properties: Record<string, unknown>; additionalProperties: boolean }
  expect(Object.keys(schema.properties)).toEqual([
    'tables',
    'replicas',
    'aliases',
    'workers',
    'limits',
    'durability',
    'retry',
    'state',
  ])
  expect(schema.additionalProperties).toBe(false)
  expect(schema).not.toHaveProperty('required')
})
