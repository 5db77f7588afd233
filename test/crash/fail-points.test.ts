/**
 * The built daemon dies at every named place over a root where something is new, changed, renamed, moved and
 * deleted; then it is started again, and what it finds must be mirrored as if nothing had happened.
 */
import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readManifest } from '../../src/manifest/read-manifest.ts';
import type { FailPointName } from '../../src/service/fail-points.ts';
import { builtProgram } from './daemon.ts';
import { judge } from './oracle.ts';
import type { Sandbox } from './sandbox.ts';
import { openSandbox } from './sandbox.ts';

const flushTimeoutMs = 20_000;

/** How often each place is reached before the process dies there. Commits are many: each sees another change. */
const deaths: Readonly<Record<FailPointName, readonly number[]>> = {
  'commit:before': [1, 4, 9],
  'commit:after': [1, 2, 6, 10],
  'upload:before': [1, 3],
  'upload:body': [1, 4],
  'upload:after': [1, 3],
  'delete:before': [1, 2],
  'delete:after': [1, 2],
  'list:after': [1],
};

const cases = Object.entries(deaths).flatMap(([name, nths]) => nths.map((nth) => `${name}:${nth}`));

describe.concurrent('after a death', () => {
  test.each(cases)('at %s, nothing is lost, left over or there twice', async (failPoint) => {
    const sandbox = await openSandbox({ folders: ['user_data', 'batch'], program: builtProgram });
    let passed = false;
    try {
      const foreign = await foreignFiles(sandbox);
      populate(sandbox.root);
      await converge(sandbox);
      const postsBefore = sandbox.server.requests.uploads().length;
      change(sandbox.root);
      if (failPoint.startsWith('list:')) await leaveAnOpenIntent(sandbox);

      const doomed = sandbox.start(failPoint);
      expect(await doomed.exited).toEqual({ code: null, signal: 'SIGKILL' });
      expect(await readManifest(sandbox.stateDir)).not.toBeNull();
      await converge(sandbox);

      const verdict = await judge({ ...sandbox, remote: sandbox.server.files(), foreign });
      expect(verdict).toEqual({
        localFiles: 6,
        duplicates: [],
        orphans: [],
        lost: [],
        misremembered: [],
        foreignGone: [],
      });
      // Five versions are new; only an attempt that was cut off may have been made again.
      const posts = sandbox.server.requests.uploads().slice(postsBefore);
      const completed = posts.filter(({ status, aborted }) => status === 200 || !aborted);
      expect(completed.length).toBeLessThanOrEqual(5);
      passed = true;
    } finally {
      await sandbox.close(!passed);
    }
  });
});

/** Somebody else's files that look like ours. */
async function foreignFiles(sandbox: Sandbox): Promise<ReadonlySet<string>> {
  return new Set([
    await sandbox.addForeign('user_data', 'new.txt', 'new'),
    await sandbox.addForeign('user_data', 'gone.txt', 'gone'),
  ]);
}

function populate(root: string): void {
  const at = (path: string): string => join(root, path);
  mkdirSync(at('user_data/sub'));
  for (const name of ['same', 'changed', 'grown', 'renamed', 'moved', 'gone']) {
    writeFileSync(at(`user_data/${name}.txt`), name);
  }
  writeFileSync(at('user_data/sub/gone.txt'), 'gone');
}

/** Afterwards there are six files: one as before, one moved with its id, and four versions to upload … */
function change(root: string): void {
  const at = (path: string): string => join(root, path);
  writeFileSync(at('user_data/changed.txt'), 'CHANGED');
  appendFileSync(at('user_data/grown.txt'), 'x'.repeat(300_000));
  renameSync(at('user_data/renamed.txt'), at('user_data/other-name.txt'));
  renameSync(at('user_data/moved.txt'), at('user_data/sub/moved.txt'));
  rmSync(at('user_data/gone.txt'));
  rmSync(at('user_data/sub/gone.txt'));
  writeFileSync(at('batch/new.jsonl'), '{}\n');
}

/** Only a start that has an outcome to find out lists anything. */
async function leaveAnOpenIntent(sandbox: Sandbox): Promise<void> {
  const doomed = sandbox.start('upload:after');
  expect(await doomed.exited).toEqual({ code: null, signal: 'SIGKILL' });
}

async function converge(sandbox: Sandbox): Promise<void> {
  const daemon = sandbox.start(null);
  try {
    const client = await daemon.client();
    expect(await client.flush(flushTimeoutMs)).toEqual({ problems: [], halts: [] });
  } finally {
    daemon.kill('SIGTERM');
  }
  expect(await daemon.exited).toEqual({ code: 0, signal: null });
}
