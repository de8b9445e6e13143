/** Ports for servers of a test's own: they stay theirs while a server is stopped and started again. */
export const { freePorts } = (await import(new URL('../../scripts/services/ports.mjs', import.meta.url).href)) as {
  readonly freePorts: (count: number) => Promise<number[]>
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1)
  return port!
}
