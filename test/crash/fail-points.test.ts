/**
 * The built daemon dies at every named place over a root where something is new, changed, renamed, moved and
 * deleted; then it is started again, and all must be mirrored as if nothing had happened.
 */
import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { serverError } from '../support/fault-presets.ts';
import { readManifest } from '../../src/manifest/read-manifest.ts';
import type { FailPointName } from './fail-points.ts';
import { judge } from './oracle.ts';
import type { Verdict } from './oracle.ts';
import { Sandbox } from './sandbox.ts';

const flushTimeoutMs = 40_000;
/** Mostly spent waiting for a listing that may lag; but other tests may have the processors. */
const testTimeoutMs = 60_000;

/** The how manieth time at each place is the last one. Commits are of many kinds, so more of them are tried. */
const deaths: Readonly<Record<FailPointName, readonly number[]>> = {
  'commit:before': [2, 5],
  'commit:after': [1, 3, 7],
  'upload:before': [1, 3],
  'upload:body': [1, 4],
  'upload:after': [1, 3],
  'delete:before': [1, 3],
  'delete:after': [1, 2],
  'list:after': [1],
};
const cases = Object.entries(deaths).flatMap(([name, nths]) => nths.map((nth) => `${name}:${nth}`));

const allIsWell: Verdict = {
  localFiles: 6,
  duplicates: [],
  orphans: [],
  lost: [],
  misremembered: [],
  foreignGone: [],
};

describe.concurrent('after a death', { timeout: testTimeoutMs }, () => {
  test.each(cases)('at %s, nothing is lost, left over or there twice', async (failPoint) => {
    const sandbox = await new Sandbox().open();
    let passed = false;
    try {
      const { server, root, stateDir } = sandbox;
      await sandbox.addForeign('batch', 'new.jsonl', '{}\n');
      await sandbox.addForeign('user_data', 'gone.txt', 'gone');
      populate(root);
      await sandbox.sync();
      const uploadsBefore = server.requests.uploads().length;
      change(root);
      // Nothing is listed unless there is an outcome to find out.
      if (failPoint.startsWith('list:')) {
        server.faults.add({ match: { method: 'POST' }, act: serverError('handled'), times: 1 });
      }

      const doomed = sandbox.start(failPoint);
      expect(await doomed.program.exited).toMatchObject({ code: null, signal: 'SIGKILL' });
      expect(await readManifest(stateDir)).not.toBeNull();
      await startAndFlush(sandbox);

      expect(await judge(sandbox)).toEqual(allIsWell);
      const stored = server.requests
        .uploads()
        .filter(({ id }, index) => index >= uploadsBefore && id !== null);
      expect(stored).toHaveLength(changedVersions);
      passed = true;
    } finally {
      await sandbox.close(!passed);
    }
  });
});

function populate(root: string): void {
  const folder = join(root, 'user_data');
  mkdirSync(join(folder, 'sub'));
  for (const name of ['same', 'changed', 'grown', 'renamed', 'moved', 'gone', 'sub/gone']) {
    writeFileSync(join(folder, `${name}.txt`), name);
  }
}

const changedVersions = 4;

/** Leaves one file as it was, moves one that keeps its id, deletes two, and makes four versions to upload. */
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

async function startAndFlush(sandbox: Sandbox): Promise<void> {
  const life = sandbox.start(null);
  try {
    const client = await life.client();
    expect(await client.flush(flushTimeoutMs)).toEqual({ problems: [], halts: [] });
  } finally {
    life.program.signal('SIGTERM');
  }
  expect(await life.program.exit()).toMatchObject({ code: 0 });
}
