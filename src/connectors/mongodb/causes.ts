/** An error, its causes, and those of the servers that a selection looked at. */
export function causesOf(error: unknown): unknown[] {
  const found: unknown[] = []
  const look = (one: unknown): void => {
    if (typeof one !== 'object' || one === null || found.includes(one) || found.length > 20) return
    found.push(one)
    if ('cause' in one) look(one.cause)
    if ('reason' in one && typeof one.reason === 'object' && one.reason !== null && 'servers' in one.reason) {
      const { servers } = one.reason
      if (servers instanceof Map)
        for (const server of servers.values() as Iterable<{ error?: unknown }>) look(server.error)
    }
  }
  look(error)
  return found
}
