/** The part of a test runner that the kit uses; vitest's, jest's and mocha's functions fit as they are. */
export interface TestRunner {
  describe(name: string, body: () => void): void
  it(name: string, run: () => Promise<void>, timeoutMilliseconds?: number): void
  afterAll(run: () => Promise<void>, timeoutMilliseconds?: number): void
}
