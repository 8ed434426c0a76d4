import { defineConfig } from 'vitest/config'
import { LongFirst } from './test/long-first.js'

export default defineConfig({
  test: {
    pool: 'forks',
    sequence: { sequencer: LongFirst },
    poolOptions: { forks: { maxForks: 2, minForks: 1 } },
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/e2e/**'] },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
})
