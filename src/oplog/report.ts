import type { Place } from '../core/errors.ts'

/** A sealed stretch of a segment's file. */
export interface SegmentReport {
  readonly path: string
  readonly segment: number
  /** Records in all segments before. */
  readonly from: number
  /** Records in the log at its end. */
  readonly to: number
  /** Sealed bytes: what follows in the file is no part of the log. */
  readonly bytes: number
  /** Some of its seals, at most one for each MiB: the log has `records` records before byte `byte`. */
  readonly marks: readonly { readonly records: number; readonly byte: number }[]
}

/** Bytes after the last good seal of the live segment: written, never acknowledged. */
export interface TornTail {
  /** The live segment. */
  readonly path: string
  /** Where in it they began. */
  readonly byte: number
  readonly bytes: number
  /** The file that holds them now; undefined where the log was only inspected. */
  readonly setAside: string | undefined
}

/** What was given up by `acceptLoss`; one sentence in `message`. */
export interface LogLoss {
  readonly message: string
  readonly place: Place
  /** Records that are kept: the log goes on after this one. */
  readonly kept: number
  /** The log is known to have reached this record; undefined where nothing says how far it had come. */
  readonly reached: number | undefined
  /** Files that hold what was set aside; empty where the log was only inspected, or where nothing was left of it. */
  readonly setAside: readonly string[]
}

/** The state of one replica's log on disk. */
export interface LogReport {
  readonly directory: string
  readonly replica: string
  /** Undefined where there is no log yet. */
  readonly logId: string | undefined
  /** Records in the log, all sealed. */
  readonly records: number
  /** The checksum of the last seal. */
  readonly crc: number
  /** Those that were read, in order: from the one that holds record `from` + 1. Without one that has no seal yet. */
  readonly segments: readonly SegmentReport[]
  readonly torn: TornTail | undefined
  readonly loss: LogLoss | undefined
}
