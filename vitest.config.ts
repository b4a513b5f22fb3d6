import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{devices,app,native,renderer}/**/*.test.{ts,tsx}'],
    exclude: ['**/node_modules/**', 'out/**'],
    environmentMatchGlobs: undefined,
    maxWorkers: 2,
  },
});
