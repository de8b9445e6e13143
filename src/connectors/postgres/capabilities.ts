import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from '../../core/table.ts'
import type { Capabilities } from '../connector.ts'

/** What PostgreSQL holds exactly in the layout of `layout.ts`. Its type json keeps the text itself, \u0000 included. */
export const postgresCapabilities: Capabilities = {
  nulInText: false,
  nonFinite: true,
  negativeZero: true,
  timestampDigits: 6,
  minYear: 1,
  maxYear: 9999,
  nulInJson: true,
  nulInJsonNames: true,
  decimalDigits: 38,
  keyBytes: MAX_KEY_BYTES,
  valueBytes: MAX_VALUE_BYTES,
  sharedReads: true,
  digests: ['string', 'int64', 'boolean', 'date', 'bytes', 'decimal', 'timestamp'],
}
