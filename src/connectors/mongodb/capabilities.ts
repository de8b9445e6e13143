import type { Capabilities } from '../connector.ts'
import { capabilities } from '../documents/capabilities.ts'

/** What MongoDB holds exactly. Servers that hold less reject rows one by one. */
export const mongodbCapabilities: Capabilities = {
  ...capabilities,
  // A document has 100 levels, the first of which is the row.
  jsonDepth: 99,
}
