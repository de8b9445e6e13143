const { freePorts: free } = (await import(new URL('../../scripts/services/ports.mjs', import.meta.url).href)) as {
  readonly freePorts: (count: number) => Promise<number[]>
}

/** Ports for servers of a test's own: they stay theirs while a server is stopped and started again. */
export async function freePorts(count: number): Promise<number[]> {
  return await free(count)
}

export async function freePort(): Promise<number> {
  const [port] = await free(1)
  return port!
}
