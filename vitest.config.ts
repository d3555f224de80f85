import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'tools/**/*.test.ts'],
    exclude: ['test/chaos/long/**', 'test/conditions/**', 'test/systemd/**'],
    // Far above what any test takes: a shared machine may be ten times slower than it was yesterday.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Two cores, and tests that start processes of their own: more would only starve each other.
    maxWorkers: 2,
  },
})
