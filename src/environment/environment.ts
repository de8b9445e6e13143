/*
 * Everything that a session takes from the outside world. The simulation replaces all of it, so that it runs the very
 * code that production runs; nothing else in the product reads a clock, sets a timer, draws a random number, touches a
 * file or starts a thread (but connectors, where their client library does).
 */

export interface WallClock {
  /** UTC in nanoseconds since 1970; may step backwards. */
  nanoseconds(): bigint
  /** Milliseconds from any start; never steps backwards. For durations and time limits. */
  milliseconds(): number
}

export interface Timers {
  /** Resolves after `milliseconds`; rejects with the signal's reason when it is aborted. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>
  /** Calls `call` after `milliseconds`, a day at most; what it gives calls that off. For what is called off mostly. */
  after(milliseconds: number, call: () => void): () => void
  /** Resolves after what is ready to run has run: lets callbacks in during a long computation. */
  yield(): Promise<void>
}

export interface Random {
  /** Hexadecimal digits, for identities. */
  hex(digits: number): string
  /** From 0 inclusive to 1 exclusive, for jitter. */
  fraction(): number
}

/** An open file. Errors are the system's own (`code`: 'ENOSPC', 'EIO', …). */
export interface DiskFile {
  size(): Promise<number>
  /** Bytes from `position`; fewer at the end of the file. */
  read(position: number, length: number): Promise<Uint8Array>
  /** Reads bytes from `position` to where they are wanted; gives their number, fewer at the end of the file. */
  readInto(into: Uint8Array, position: number): Promise<number>
  /** Writes all of the buffers at the end of the file, in order. Not durable until `datasync`. */
  append(buffers: readonly Uint8Array[]): Promise<void>
  /**
   * As `append`, in a thread of its own, and a last line behind them: `seal`, then the CRC-32 of the buffers and `seal`,
   * begun with `crc`, in eight hexadecimal digits, and a line end. Gives that checksum. The bytes must stand until it
   * settles. Undefined, and nothing is done, where the caller's thread is as good a place for the checksum.
   */
  appendSealed?(buffers: readonly Uint8Array[], crc: number, seal: Uint8Array): Promise<number> | undefined
  /** Cuts the file. */
  truncate(size: number): Promise<void>
  /** Durable on return. After a failure nothing may be taken for durable any more. */
  datasync(): Promise<void>
  close(): Promise<void>
}

export interface Disk {
  /** 'read' fails where there is no file, 'append' creates it, 'create' fails where there is one. New ones are 0600. */
  open(path: string, mode: 'read' | 'append' | 'create'): Promise<DiskFile>
  /** Whole contents, or undefined where there is no such file. */
  readFile(path: string): Promise<Uint8Array | undefined>
  /**
   * Writes what a file holds from a byte on over itself; durable on return. After a failed sync the system shows bytes
   * that never reached the disk, and takes them for written: this brings them there.
   */
  rewrite(path: string, from: number): Promise<void>
  /** Replaces a file so that a crash leaves the old or the new one: temporary file, sync, rename, sync directory. */
  replaceFile(path: string, contents: Uint8Array): Promise<void>
  /** Names in a directory, sorted; empty where there is none. */
  list(directory: string): Promise<string[]>
  /** Creates a directory (0700) and those above it. */
  makeDirectory(path: string): Promise<void>
  /** Durable on return with `syncDirectory` of both directories. */
  rename(from: string, to: string): Promise<void>
  syncDirectory(path: string): Promise<void>
  remove(path: string): Promise<void>
  /** Whether a symbolic link stands there, which isn't followed. Left out where there are none. */
  isLink?(path: string): Promise<boolean>
}

/** The other end of a thread: messages are structured clones and keep their order. */
export interface Port {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void
  onMessage(listener: (message: unknown) => void): void
}

export interface Thread extends Port {
  /** Called once when the thread ends, with the error where it died of one. */
  onExit(listener: (error: Error | undefined) => void): void
  /** Ends the thread at once. */
  terminate(): Promise<void>
}

export interface Threads {
  /** Starts a thread that hosts one replica store (`lanes/host.ts`). */
  start(name: string): Thread
}

/** The exclusive use of a directory by one living process. */
export interface DirectoryLock {
  release(): Promise<void>
}

export interface Processes {
  /** `pid 4711 on host`. */
  readonly self: string
  /**
   * Takes the lock file at `path`; one that a dead process left is taken over. Undefined where a living process holds
   * it, whose name is then in `holder`.
   *
   * @param session where given, a lock that this process took for the same session is taken over as well: the caller
   * knows that the thread that took it is gone
   */
  lock(path: string, session?: string): Promise<{ readonly lock?: DirectoryLock; readonly holder?: string }>
}

export interface Environment {
  readonly clock: WallClock
  readonly timers: Timers
  readonly random: Random
  readonly disk: Disk
  readonly threads: Threads
  readonly processes: Processes
}
