import type { z } from 'zod';
import type { configSchema } from '../../../src/config/schema.ts';

/** A configuration as a file may hold it. */
export type TestConfig = z.input<typeof configSchema>;

const FAST = {
  api: { lookSeconds: 3 },
  limits: { uploadsPerMinute: null },
  watch: { settleSeconds: 0.2, rescanSeconds: 0 },
  deletes: { graceSeconds: 0.3 },
  verifyHours: 0,
} satisfies TestConfig;

/** What nobody wants to wait for in tests is short, and nothing happens by itself; `config` wins, key by key. */
export function fastConfig(config: TestConfig): TestConfig {
  return {
    ...FAST,
    ...config,
    api: { ...FAST.api, ...config.api },
    limits: { ...FAST.limits, ...config.limits },
    watch: { ...FAST.watch, ...config.watch },
    deletes: { ...FAST.deletes, ...config.deletes },
  };
}
