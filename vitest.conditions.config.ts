import { defineConfig } from 'vitest/config'

/** `npm run test:conditions`: photographs, slow lines, silence, partial outages, restricted roles; each lasts minutes. */
export default defineConfig({
  test: {
    include: ['test/conditions/**/*.test.ts'],
    maxConcurrency: 4,
    maxWorkers: 2,
    testTimeout: 20 * 60_000,
    hookTimeout: 60_000,
  },
})
