import { MerganserError } from '../../core/errors.ts'
import { causesOf } from './causes.ts'

/** What the driver knows of a server that it looked at. */
interface Looked {
  readonly address: string
  readonly type: string
  readonly error?: unknown
}

/** Servers that a message names at most. */
const NAMED = 3

/** No server was found that takes writes: what each of those that were asked did instead. */
export function unreachable(error: Error, replica: string): MerganserError {
  const servers = serversOf(error)
  const found = servers.map(behaviourOf)
  const [first] = found
  const message =
    first === undefined
      ? 'no server answers that belongs to the replica set which the URL names'
      : `no MongoDB server that takes writes answers: ${found
          .slice(0, NAMED)
          .map(({ what }, i) => `${servers[i]!.address} ${what}`)
          .join('; ')}`
  const advice = first?.advice ?? 'check replicaSet and the hosts of the URL'
  return new MerganserError('DATABASE_UNREACHABLE', message, { place: { replica }, cause: error, advice })
}

function serversOf(error: Error): Looked[] {
  const reason = (error as { reason?: { servers?: unknown } }).reason
  return reason?.servers instanceof Map ? [...(reason.servers.values() as Iterable<Looked>)] : []
}

interface Behaviour {
  readonly what: string
  readonly advice: string
}

const HOSTS = 'check hosts and ports of the URL, and whether the server runs'

function behaviourOf({ type, error }: Looked): Behaviour {
  const codes = causesOf(error).map((one) => String((one as { code?: unknown }).code))
  const has = (...some: string[]): boolean => codes.some((code) => some.includes(code))
  if (has('ENOTFOUND', 'EAI_AGAIN')) return { what: "is a name that isn't known", advice: HOSTS }
  if (has('ECONNREFUSED')) return { what: 'refuses the connection', advice: HOSTS }
  if (has('EHOSTUNREACH', 'ENETUNREACH')) return { what: "can't be reached from here", advice: HOSTS }
  if (error instanceof Error && (has('ECONNRESET', 'EPIPE') || /closed$/.test(error.message))) {
    return { what: 'closes the connection', advice: 'the server may take TLS only (tls=true), or no TLS' }
  }
  if (error === undefined || error === null || type !== 'Unknown') {
    return type === 'Unknown' || type === undefined
      ? { what: 'does not answer', advice: `${HOSTS}; a server without TLS does not answer to tls=true` }
      : {
          what: 'is not the primary',
          advice: 'name all members in the URL, or replicaSet, so that the primary is found',
        }
  }
  return { what: 'does not answer in time', advice: HOSTS }
}
