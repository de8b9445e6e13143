/**
 * What of a message arrives in another thread: what `structuredClone` gives, at a fraction of its cost for the plain
 * objects that most messages are. Shared memory stays shared; of any other only what a view shows is copied.
 */
export function crossed(message: unknown): unknown {
  if (typeof message !== 'object' || message === null) return message
  if (message instanceof Uint8Array) {
    return message.buffer instanceof SharedArrayBuffer ? message : new Uint8Array(message)
  }
  if (Array.isArray(message)) return message.map(crossed)
  if (Object.getPrototypeOf(message) !== Object.prototype) return structuredClone(message)
  const copy: Record<string, unknown> = {}
  for (const name of Object.keys(message)) copy[name] = crossed((message as Record<string, unknown>)[name])
  return copy
}
