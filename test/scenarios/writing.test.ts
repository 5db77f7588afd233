import { test } from 'vitest';
import { openTestMirror } from '../support/blackbox/mirror-process.ts';
import { batchFile } from '../support/blackbox/samples.ts';

test('A1: a file that is written in one go is uploaded once', async (context) => {
  const mirror = await openTestMirror(context);
  await mirror.start();
  await mirror.write('batch/a.jsonl', batchFile(1, 10));
  await mirror.untilConverged({ posts: 1, deletes: 0 });
  await mirror.expectConverged({ posts: 1, deletes: 0 });
  await mirror.stop();
  await mirror.expectConverged({ posts: 1, deletes: 0 });
});
