import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from '../../core/table.ts'
import type { Capabilities } from '../connector.ts'

/** BSON's limits: Decimal128 has 34 digits, an element's name no zero byte. All else is held exactly. */
export const capabilities: Capabilities = {
  nulInText: true,
  nonFinite: true,
  negativeZero: true,
  // Up to milliseconds a BSON date, finer ones as text: see `isBsonDate`.
  timestampDigits: 9,
  minYear: 1,
  maxYear: 9999,
  nulInJson: true,
  nulInJsonNames: false,
  decimalDigits: 34,
  keyBytes: MAX_KEY_BYTES,
  valueBytes: MAX_VALUE_BYTES,
  sharedReads: true,
}

/** Longest document, as in MongoDB. */
export const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
