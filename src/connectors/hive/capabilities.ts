import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from '../../core/table.ts'
import type { Capabilities } from '../connector.ts'

/**
 * What Hive holds exactly in the layout of `layout.ts`. Its ORC files lose a second from timestamps of the last second
 * before 1970 that have a fraction: those are refused.
 */
export const hiveCapabilities: Capabilities = {
  nulInText: true,
  nonFinite: true,
  negativeZero: true,
  timestampDigits: 9,
  minYear: 1,
  maxYear: 9999,
  fractionBeforeEpoch: false,
  nulInJson: true,
  nulInJsonNames: true,
  decimalDigits: 38,
  keyBytes: MAX_KEY_BYTES,
  valueBytes: MAX_VALUE_BYTES,
  sharedReads: true,
  // A MERGE reads the whole table, whatever it brings.
  batch: { rows: 1_000_000, bytes: 64 * 1024 * 1024 },
  digests: ['string', 'int64', 'boolean', 'date', 'bytes', 'decimal', 'timestamp', 'json'],
}
