import type { Case } from './case.ts'
import { digestCases } from './cases/digests.ts'
import { joinCases } from './cases/join.ts'
import { keyCases } from './cases/keys.ts'
import { lifecycleCases } from './cases/lifecycle.ts'
import { manyRowsCases } from './cases/many-rows.ts'
import { scanCases } from './cases/scans.ts'
import { schemaCases } from './cases/schema.ts'
import { typeCases } from './cases/types.ts'
import { valueCases } from './cases/values.ts'
import { writeCases } from './cases/writes.ts'
import type { TestRunner } from './runner.ts'
import { World, type Conformance } from './world.ts'

const TIME_LIMIT = 60_000

/**
 * Registers the tests that every connector passes (`it`, inside `describe`): the contract of `connector.ts` on a real
 * database, nothing mocked. Deterministic: seeds are fixed.
 *
 *     connectorConformance({ describe, it, afterAll }, { connector, directory: () => freshDirectory() })
 */
export function connectorConformance(runner: TestRunner, conformance: Conformance): void {
  runner.describe(`the connector ${conformance.connector.type}`, () => {
    const world = new World(conformance)
    const groups = [
      ...[lifecycleCases, schemaCases, writeCases, joinCases],
      ...[typeCases, valueCases, keyCases, scanCases, digestCases, manyRowsCases],
    ]
    for (const test of groups.flat()) {
      runner.it(test.name, () => runCase(world, test), test.timeLimit ?? TIME_LIMIT)
    }
    runner.afterAll(() => world.end(), TIME_LIMIT)
  })
}

/** A case that fails takes its store with it, so that the next one starts from an open store again. */
async function runCase(world: World, test: Case): Promise<void> {
  try {
    await test.run(world)
  } catch (error) {
    await world.end().catch(() => undefined)
    throw error
  }
}
