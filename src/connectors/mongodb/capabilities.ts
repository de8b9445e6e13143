import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from '../../core/table.ts'
import type { Capabilities } from '../connector.ts'

/** What MongoDB holds exactly in the layout of `documents/layout.ts`. Servers that hold less reject rows one by one. */
export const mongodbCapabilities: Capabilities = {
  nulInText: true,
  nonFinite: true,
  negativeZero: true,
  // Up to milliseconds a BSON date, finer ones as text: see `isBsonDate`.
  timestampDigits: 9,
  minYear: 1,
  maxYear: 9999,
  nulInJson: true,
  // The name of a BSON element ends at a zero byte.
  nulInJsonNames: false,
  // A document has 100 levels, the first of which is the row.
  jsonDepth: 99,
  decimalDigits: 34,
  keyBytes: MAX_KEY_BYTES,
  valueBytes: MAX_VALUE_BYTES,
  sharedReads: true,
}
