import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { WaitingFirst } from './test/support/waiting-first.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['scripts/services/vitest-setup.mjs'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // One more than processors: some tests mostly wait for a server.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: WaitingFirst },
  },
})
