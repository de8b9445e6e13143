import { ChannelError } from './channel.ts'

/** Steps of the negotiation, as thrift numbers them. */
const START = 1
const OK = 2
const BAD = 3
const ERROR = 4
const COMPLETE = 5
const LONGEST = 1 << 20

/** What a client of mechanism PLAIN sends first. */
export function saslHello(user: string, password: string): Buffer {
  return Buffer.concat([saslMessage(START, 'PLAIN'), saslMessage(OK, `\0${user}\0${password}`)])
}

function saslMessage(status: number, text: string): Buffer {
  const payload = Buffer.from(text)
  const header = Buffer.alloc(5)
  header.writeUInt8(status, 0)
  header.writeUInt32BE(payload.length, 1)
  return Buffer.concat([header, payload])
}

/** Reads the server's answers to it: how many bytes they are once it is content, undefined while more are needed. */
export function saslAnswer(bytes: Buffer): number | undefined {
  for (let at = 0; at + 5 <= bytes.length;) {
    const status = bytes.readUInt8(at)
    const length = bytes.readUInt32BE(at + 1)
    if (status < START || status > COMPLETE || length > LONGEST) throw foreign()
    const end = at + 5 + length
    if (end > bytes.length) return undefined
    if (status === COMPLETE) return end
    if (status !== OK) throw refusal(status, bytes.toString('utf8', at + 5, end))
    at = end
  }
  // Without this, a server that speaks first (SSH, SMTP) would be waited for.
  if (bytes.length > 0 && (bytes[0]! < START || bytes[0]! > COMPLETE)) throw foreign()
  return undefined
}

function refusal(status: number, text: string): ChannelError {
  return status === BAD || status === ERROR
    ? new ChannelError(/mechanism/i.test(text) ? 'mechanism' : 'credentials', 'the server refuses the sign-in')
    : foreign()
}

function foreign(): ChannelError {
  return new ChannelError('foreign', 'the answer is none of SASL')
}
