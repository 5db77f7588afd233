import { expect, test } from 'vitest';
import { runBatchLife } from '../support/batch-sim/batch-world.ts';

/** `npm run soak:batches` plays as many as one likes; these few hundred guard every change. */
const LIVES = 300;

test(
  `${LIVES} lives of batches: lost replies, lagging lists, crashes, meddling people, and every promise is kept`,
  { timeout: 240_000 },
  async () => {
    let begun = 0;
    for (let seed = 1; seed <= LIVES; seed += 1) {
      const { violations, stats } = await runBatchLife(seed);
      begun += stats.batches;
      expect(violations, `npm run soak:batches -- --from ${seed} --seeds 1`).toEqual([]);
    }
    expect(begun).toBeGreaterThan(LIVES);
  },
);
