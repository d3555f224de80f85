import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/chaos/long/**', 'test/systemd/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores, and tests that start processes of their own: more would only starve each other.
    maxWorkers: 2,
  },
})
