import { defineConfig } from 'vitest/config';

// One file at a time, in one process: there is one guest, and two processors for it and everything else.
export default defineConfig({
  test: {
    include: ['e2e/guest/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
    sequence: { concurrent: false },
    testTimeout: 180_000,
    hookTimeout: 240_000,
    teardownTimeout: 30_000,
    reporters: ['verbose'],
    bail: 0,
    // Once more, so that a busy machine is told from a fault.
    retry: process.env.CI ? 1 : 0,
  },
});
