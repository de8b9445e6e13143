import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from '../../core/table.ts'
import type { Capabilities } from '../connector.ts'
import { FIRST_NANOSECOND_YEAR, LAST_NANOSECOND_YEAR } from './types.ts'

/**
 * What the warehouse holds exactly: everything but timestamps of more than six digits of a second (columns
 * `timestamp(7)` to `timestamp(9)`, the default) outside the years 1678 to 2261. Those columns are TIMESTAMP_NS, 64
 * bits of nanoseconds; up to `timestamp(6)` they are TIMESTAMP, microseconds, from year 1 to 9999.
 */
export const capabilities: Capabilities = {
  nulInText: true,
  nonFinite: true,
  negativeZero: true,
  timestampDigits: 9,
  minYear: 1,
  maxYear: 9999,
  nanosecondYears: [FIRST_NANOSECOND_YEAR, LAST_NANOSECOND_YEAR],
  nulInJson: true,
  nulInJsonNames: true,
  decimalDigits: 38,
  keyBytes: MAX_KEY_BYTES,
  valueBytes: MAX_VALUE_BYTES,
  sharedReads: false,
  // A float64's shortest text is JavaScript's.
  digests: ['string', 'int64', 'decimal', 'boolean', 'bytes', 'date', 'timestamp', 'json'],
}
