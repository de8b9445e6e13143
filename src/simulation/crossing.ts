/**
 * What of a message arrives in another thread: what `structuredClone` gives, at a fraction of its cost for the plain
 * objects and bytes that most messages are. Shared memory stays shared; of any other only what a view shows is copied.
 */
export function crossed(message: unknown): unknown {
  if (typeof message !== 'object' || message === null) return message
  if (message instanceof Uint8Array || message instanceof Uint32Array) {
    if (message.buffer instanceof SharedArrayBuffer) return message
    return message instanceof Uint8Array ? new Uint8Array(message) : new Uint32Array(message)
  }
  if (Array.isArray(message)) return message.map(crossed)
  if (Object.getPrototypeOf(message) !== Object.prototype) return structuredClone(message)
  const copy: Record<string, unknown> = { ...message }
  for (const name of Object.keys(copy)) {
    const value = copy[name]
    if (typeof value === 'object' && value !== null) copy[name] = crossed(value)
  }
  return copy
}
