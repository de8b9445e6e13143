import type { LogRecord } from '../logs.ts'

/** What has come to each log since it was last read to its end. A log that has become shorter has nothing new. */
export class NewRecords {
  readonly #read: number[] = []

  of(replica: number, records: readonly LogRecord[]): readonly LogRecord[] {
    return records.slice(Math.min(this.#read[replica] ?? 0, records.length))
  }

  read(replica: number, records: readonly LogRecord[]): void {
    this.#read[replica] = records.length
  }
}
