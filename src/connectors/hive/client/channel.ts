/** What goes wrong between us and a server, before it understands us. */
export type ChannelFailure =
  | 'unreachable' // nobody listens there
  | 'silent' // no answer within the time limit
  | 'closed' // the other side closed or cut the connection
  | 'certificate' // its certificate isn't trusted
  | 'not-tls' // it doesn't speak TLS
  | 'foreign' // it speaks something else
  | 'credentials' // it refuses the user or the password
  | 'mechanism' // it wants another way of signing in
  | 'path' // no such path on its HTTP server

export class ChannelError extends Error {
  readonly failure: ChannelFailure

  constructor(failure: ChannelFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'ChannelError'
    this.failure = failure
  }
}

/** A longer answer, or part of one, is none: the bytes are of something else. */
export const LONGEST_ANSWER = 1 << 30

/** Carries whole messages to a server and its answers back, in order. */
export interface Channel {
  readonly lost: boolean
  /** Sends a message; its answer. Rejects with a ChannelError only; without an answer in time the channel is lost. */
  exchange(message: Buffer, milliseconds: number): Promise<Buffer>
  destroy(): void
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER)|HOSTNAME_MISMATCH|ALTNAME/
const UNREACHABLE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'])

/** What an error of a socket means. */
export function channelError(error: unknown): ChannelError {
  if (error instanceof ChannelError) return error
  const code = String((error as NodeJS.ErrnoException | undefined)?.code)
  if (UNREACHABLE.has(code)) return new ChannelError('unreachable', code, error)
  if (CERTIFICATE.test(code)) return new ChannelError('certificate', code, error)
  if (/^(?:ERR_SSL|EPROTO)/.test(code)) return new ChannelError('not-tls', code, error)
  if (code.startsWith('HPE_')) return new ChannelError('foreign', code, error)
  return new ChannelError('closed', code, error)
}
