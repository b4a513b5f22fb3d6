import { defineConfig, type ReporterDescription } from '@playwright/test';

const reporters: ReporterDescription[] = [['list']];
// `make test` counts from this report; its path comes in the environment.
if (process.env.PLAYWRIGHT_JUNIT_OUTPUT_FILE) reporters.push(['junit']);

export default defineConfig({
  testDir: './specs',
  outputDir: '../out/test/e2e',
  // Two cores: a second window would only make the first one late.
  workers: 1,
  fullyParallel: false,
  // Once more, so that a busy machine is told from a fault; what needed it is reported as flaky.
  retries: process.env.CI ? 1 : 0,
  forbidOnly: true,
  timeout: 60_000,
  globalTimeout: 40 * 60_000,
  expect: { timeout: 10_000 },
  reporter: reporters,
  globalSetup: './fixtures/say-window.ts',
  projects: [
    { name: 'sim', testIgnore: /guest\.spec\.ts$/ },
    { name: 'guest', testMatch: /guest\.spec\.ts$/, timeout: 240_000 },
  ],
});
