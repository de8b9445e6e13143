import { afterAll, describe, expect, it } from 'vitest'
import { joinStamped, type StampedRow } from '../../src/core/batch.ts'
import { connectorConformance } from '../../src/testkit/index.ts'
import { memoryConnector, type Faults } from './memory-connector.ts'

const ROWS = 6_000
let directories = 0
const directory = () => `/nowhere/${String(++directories)}`

connectorConformance({ describe, it, afterAll }, { connector: memoryConnector(), directory, rows: ROWS })

/** Runs the kit's cases on a connector until one fails: its name. */
async function firstFailure(faults: Faults): Promise<string | undefined> {
  const cases: { name: string; run: () => Promise<void> }[] = []
  const ends: (() => Promise<void>)[] = []
  const runner = {
    describe: (_name: string, body: () => void) => {
      body()
    },
    it: (name: string, run: () => Promise<void>) => void cases.push({ name, run }),
    afterAll: (run: () => Promise<void>) => void ends.push(run),
  }
  connectorConformance(runner, { connector: memoryConnector(faults), directory, rows: ROWS })
  try {
    for (const { name, run } of cases) {
      try {
        await run()
      } catch {
        return name
      }
    }
    return undefined
  } finally {
    for (const end of ends) await end()
  }
}

const newerRow = (stored: StampedRow | undefined, incoming: StampedRow): StampedRow => {
  const greatest = (row: StampedRow) =>
    [row.deleted ?? '', ...row.cells.map((cell) => cell?.stamp ?? '')].sort().at(-1)!
  return stored !== undefined && greatest(stored) >= greatest(incoming) ? stored : incoming
}
const values = (change: (text: string | null) => string | null) => (row: StampedRow) => ({
  ...row,
  cells: row.cells.map((cell) => (cell === null ? null : { ...cell, value: change(cell.value) })),
})

const broken: Readonly<Record<string, Faults>> = {
  'lets the last one to come win': { join: (_stored, incoming) => joinStamped(undefined, incoming) },
  'has one guard per row': { join: newerRow },
  'lets an equal stamp overwrite': {
    join: (stored, incoming) => (stored === undefined ? incoming : joinStamped(incoming, stored)),
  },
  'forgets tombstones': { keep: (row) => ({ ...row, deleted: null }) },
  'reports no foreign values': { foreign: false },
  'takes null for the empty string': { keep: values((text) => text ?? '') },
  'takes the empty string for null': { keep: values((text) => (text === '' ? null : text)) },
  'trims values': { keep: values((text) => text?.trimEnd() ?? null) },
  'takes int64 for float64': { keep: values((text) => (text === '9007199254740993' ? '9007199254740992' : text)) },
  'drops NUL': { keep: values((text) => text?.replaceAll('\0', '') ?? null) },
  'sorts strings by UTF-16': { order: (a, b) => (JSON.stringify(a.key) < JSON.stringify(b.key) ? -1 : 1) },
  'rejects nothing': { rejects: false },
  'takes no lock': { locks: false },
  'does not mark itself as in use': { marksInUse: false },
  'takes any shape': { checksSchema: false },
  'forgets when it is closed': { forgets: true },
  'scans from the start after a key': { skipsAfterKey: false },
}

describe('the kit finds a connector that', () => {
  for (const [name, faults] of Object.entries(broken)) {
    it(name, async () => {
      expect(await firstFailure(faults)).toBeTypeOf('string')
    })
  }
})
