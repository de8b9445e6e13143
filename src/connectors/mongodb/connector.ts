import type { Connector } from '../connector.ts'
import { heldAs } from '../documents/bson-types.ts'
import { mongodbCapabilities } from './capabilities.ts'
import { checkOptions } from './options.ts'

/** MongoDB from version 5 on, and servers that speak its protocol: what they can do is found out when they are opened. */
export const mongodb: Connector = {
  type: 'mongodb',
  capabilities: mongodbCapabilities,
  options: (raw) => ({ ...checkOptions(raw) }),
  heldAs,
  async open(raw, context) {
    const { MongodbStore } = await import('./store.ts')
    return await MongodbStore.open(checkOptions(raw), context)
  },
  async *diagnose(raw, context) {
    const { diagnose } = await import('./diagnose.ts')
    yield* diagnose(checkOptions(raw), context)
  },
}
