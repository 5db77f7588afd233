/**
 * The built daemon dies at every named place over a root where something is new, changed, renamed, moved and
 * deleted; then it is started again, and what it finds must be mirrored as if nothing had happened.
 */
import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { serverError } from '../../src/emulator/fault-presets.ts';
import { readManifest } from '../../src/manifest/read-manifest.ts';
import type { FailPointName } from '../../src/service/fail-points.ts';
import { builtProgram } from './daemon.ts';
import type { Verdict } from './oracle.ts';
import { judge } from './oracle.ts';
import type { Sandbox } from './sandbox.ts';
import { openSandbox } from './sandbox.ts';

const flushTimeoutMs = 20_000;

/** The how manieth time at each place is the last. Of commits there are most, each of another kind of change. */
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

describe.concurrent('after a death', () => {
  test.each(cases)('at %s, nothing is lost, left over or there twice', async (failPoint) => {
    const sandbox = await openSandbox({ folders: ['user_data', 'batch'], program: builtProgram });
    let passed = false;
    try {
      const { server, stateDir } = sandbox;
      const foreign = await foreignFiles(sandbox);
      populate(sandbox.root);
      await sandbox.sync();
      const uploadsBefore = server.requests.uploads().length;
      change(sandbox.root);
      // Nothing is listed unless there is an outcome to find out.
      if (failPoint.startsWith('list:')) {
        server.faults.add({ match: { method: 'POST' }, act: serverError('handled'), times: 1 });
      }

      const doomed = sandbox.start(failPoint);
      expect(await doomed.exited).toEqual({ code: null, signal: 'SIGKILL' });
      expect(await readManifest(stateDir)).not.toBeNull();
      await startAndFlush(sandbox);

      expect(await judge({ ...sandbox, remote: server.files(), foreign })).toEqual(allIsWell);
      const stored = server.requests.uploads().slice(uploadsBefore).filter(({ id }) => id !== null);
      expect(stored).toHaveLength(versionsToUpload);
      passed = true;
    } finally {
      await sandbox.close(!passed);
    }
  });
});

/** Somebody else's, that look like ours. */
async function foreignFiles(sandbox: Sandbox): Promise<ReadonlySet<string>> {
  return new Set([
    await sandbox.addForeign('batch', 'new.jsonl', '{}\n'),
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

const versionsToUpload = 4;
const allIsWell: Verdict = {
  localFiles: 6,
  duplicates: [],
  orphans: [],
  lost: [],
  misremembered: [],
  foreignGone: [],
};

/** Leaves one file as it was, moves one that keeps its id, and makes the versions to upload. */
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
  const daemon = sandbox.start(null);
  try {
    const client = await daemon.client();
    expect(await client.flush(flushTimeoutMs)).toEqual({ problems: [], halts: [] });
  } finally {
    daemon.kill('SIGTERM');
  }
  expect(await daemon.exited).toEqual({ code: 0, signal: null });
}
