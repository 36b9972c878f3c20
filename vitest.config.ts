import { defineConfig } from 'vitest/config';

/** A shared CI machine may stall a real engine for seconds; a test that fails twice there is broken. */
const retry = process.env['CI'] === undefined ? 0 : 1;

/** Three suites by cost: `unit` needs nothing, `contract` and `integration` need a container engine. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'runner/**/*.test.ts', 'test/model/**/*.test.ts'],
          // The properties are tried hundreds of times, on machines that do other things as well.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 300_000,
          fileParallelism: false,
          retry,
          globalSetup: ['test/support/global-setup.ts'],
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts', 'test/e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 600_000,
          // They wait more than they work, each with agents, servers and containers of its own.
          maxWorkers: 2,
          retry,
          globalSetup: ['test/support/global-setup.ts'],
        },
      },
    ],
  },
});
