import { defineConfig } from 'vitest/config'

/** `npm run test:systemd`: real installations on booted systemd, one after the other. */
export default defineConfig({
  test: {
    include: ['test/systemd/**/*.test.ts'],
    globalSetup: ['test/systemd/support/base.ts'],
    fileParallelism: false,
    // A test goes on where the one before has left its machines: after a failure the rest says nothing.
    bail: 1,
    testTimeout: 15 * 60_000,
    hookTimeout: 15 * 60_000,
  },
})
