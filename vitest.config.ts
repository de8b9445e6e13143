import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { WaitingFirst } from './test/support/waiting-first.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['scripts/services/vitest-setup.mjs'],
    // What hangs is to be found; a slow machine that others use too is no failure.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    pool: 'forks',
    // One more than processors: some tests mostly wait for a server.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: WaitingFirst },
  },
})
