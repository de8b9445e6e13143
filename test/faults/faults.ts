import { afterAll, beforeAll, describe, test, vi } from 'vitest'
import { Workspace } from '../cli/support.ts'
import { foreignCases } from './cases/foreign.ts'
import { outageCases } from './cases/outages.ts'
import { checkedCases, refusalCases } from './cases/refusals.ts'
import { strangerCases } from './cases/strangers.ts'
import { valueCases } from './cases/values.ts'
import { Product } from './product.ts'
import type { Misfit, Subject } from './subject.ts'

/** What the cases work with; there once the server has started. */
export interface World {
  readonly subject: Subject
  readonly product: Product
}

export interface Traits {
  /** What its types can't hold. */
  readonly misfits: readonly Misfit[]
  /** Whether it can be told to refuse rows: `Database.refuse`. */
  readonly checks: boolean
}

/**
 * What every real server must bear, with the whole product before it: whatever happens, a run ends in time, nothing
 * that was acknowledged is lost, the error names the replica and what to do, and no output holds a secret.
 */
export function bearsFaults(name: string, start: () => Promise<Subject>, { misfits, checks }: Traits): void {
  describe(`${name} as a replica`, () => {
    vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })
    let subject: Subject | undefined
    let product: Product | undefined
    const world: World = {
      get subject() {
        return subject!
      },
      get product() {
        return product!
      },
    }

    beforeAll(async () => {
      subject = await start()
      product = new Product(await Workspace.create({ warm: true }), subject.secrets)
    })
    afterAll(async () => {
      await subject?.server.close()
    })

    strangerCases(world)
    refusalCases(world, misfits)
    if (checks) checkedCases(world)
    valueCases(world)
    foreignCases(world)
    outageCases(world)

    test('none of the files that all of this left holds a secret', async () => {
      await world.product.checkFiles()
    })
  })
}
