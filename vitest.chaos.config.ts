import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/chaos/long/**/*.test.ts'],
    // A run mostly waits: for messages to become visible again, for answers that are late.
    maxConcurrency: 2 * availableParallelism(),
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 60_000,
  },
})
