/** A real server that a test has for itself, to kill, to stop for a while and to start again. */
export interface OwnServer {
  /** As in a configuration; it stays the same over `kill` and `start`. */
  readonly url: string
  /** kill -9, and waits until it is gone. */
  kill(): Promise<void>
  /** Starts it again on the same port with the same data, and waits until it answers. */
  start(): Promise<void>
  /** It takes connections but answers nothing (SIGSTOP), until `resume`. */
  pause(): void
  resume(): void
  /** What it has said since it was started, where it says something that helps. */
  log?(): string
  /** Ends it and takes its files away. */
  close(): Promise<void>
}
