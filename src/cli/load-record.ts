/** One record of a file of rows. Valid until the next one is read. */
export interface SourceRecord {
  /** Of its first byte, from 1. */
  readonly line: number
  /** Why it is no record. */
  readonly problem: string | undefined
  /** Its bytes without its line end. */
  readonly raw: Buffer
}
