/** `adopt` and `orphans`: remote files that are, or become, this mirror's own, without the engine. */
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { serverError } from '../support/fault-presets.ts';
import type { AdoptReport } from '../../src/mirror/offline/adopt.ts';
import { MARKER_FILE } from '../../src/local/root-guard.ts';
import { openTestMirror, SCENARIO_TIMEOUT_MS, type TestMirror } from '../support/blackbox/mirror-process.ts';
import { batchFile, pdfFile } from '../support/blackbox/samples.ts';

const loseManifest = (mirror: TestMirror) => rm(mirror.stateDir, { recursive: true });

async function markerOf(mirror: TestMirror): Promise<string> {
  return (JSON.parse(await readFile(mirror.at(MARKER_FILE), 'utf8')) as { mirrorId: string }).mirrorId;
}

async function manifestId(mirror: TestMirror): Promise<string> {
  const text = await readFile(join(mirror.stateDir, 'manifest.json'), 'utf8');
  return (JSON.parse(text) as { mirrorId: string }).mirrorId;
}

describe.concurrent('adopt', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('C7: a lost manifest is made anew from what matches one to one; nothing is deleted', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.write('user_data/b.pdf', pdfFile(2));
    await mirror.write('user_data/x/twin.pdf', pdfFile(3));
    await mirror.write('user_data/y/twin.pdf', pdfFile(4));
    await mirror.sync();
    const mirrorId = await markerOf(mirror);
    await loseManifest(mirror);
    expect((await mirror.run('sync')).code).toBe(78);
    await mirror.write('batch/new.jsonl', batchFile(5));
    mirror.emulator.requests.clear();

    const dry = await mirror.run('adopt', '--dry-run', '--json');
    expect(dry.code).toBe(1);
    expect((JSON.parse(dry.stdout) as AdoptReport).adopted.map(({ path }) => path).sort()).toEqual([
      'batch/a.jsonl',
      'user_data/b.pdf',
    ]);
    expect(existsSync(join(mirror.stateDir, 'manifest.json')), 'a dry run writes nothing').toBe(false);

    const { code, stdout } = await mirror.run('adopt', '--json');
    expect(code).toBe(1);
    const report = JSON.parse(stdout) as AdoptReport;
    expect(report.adopted).toHaveLength(2);
    expect(report.ambiguous).toMatchObject([{ purpose: 'user_data', remoteName: 'twin.pdf' }]);
    expect(report.ambiguous[0]?.paths.toSorted()).toEqual(['user_data/x/twin.pdf', 'user_data/y/twin.pdf']);
    expect(report.ambiguous[0]?.ids).toHaveLength(2);
    expect(report.unmatched).toEqual(['batch/new.jsonl']);
    expect(await manifestId(mirror)).toBe(mirrorId);
    expect(mirror.emulator.requests.uploads()).toEqual([]);

    const again = await mirror.run('adopt');
    expect(again.code).toBe(1);
    expect(again.stdout).toMatch(
      /^ambiguous {2}twin\.pdf \(user_data, .*\): user_data\/.*twin\.pdf against file-/m,
    );
    expect(again.stdout).toMatch(
      /^3 local files are left to the next sync, which uploads what passes its checks, /m,
    );

    expect((await mirror.sync()).code).toBe(0);
    expect(mirror.emulator.requests.uploads()).toHaveLength(3);
    expect(mirror.emulator.requests.deletes()).toEqual([]);
    // The adopted entries are as good as any: nothing more is sent, and a removed file goes remotely.
    await mirror.start();
    await mirror.flush();
    await rm(mirror.at('user_data/b.pdf'));
    await mirror.flush();
    expect(mirror.emulator.requests.uploads()).toHaveLength(3);
    expect(mirror.emulator.requests.deletes()).toHaveLength(1);
    expect(mirror.emulator.files().some(({ filename }) => filename === 'b.pdf')).toBe(false);
  });

  test('a first mirror adopts what others uploaded, and marks the root', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.write('batch/a.jsonl', batchFile(1));
    const { id } = await mirror.emulator.store.add({
      purpose: 'batch',
      filename: 'a.jsonl',
      content: batchFile(1),
      expiresAfterSeconds: 86_400,
    });
    const { code, stdout } = await mirror.run('adopt');
    expect([code, stdout]).toEqual([0, `adopted  batch/a.jsonl = ${id}\n1 adopted\n`]);
    expect(await markerOf(mirror)).toBe(await manifestId(mirror));
    const [entry] = await mirror.list();
    const stored = mirror.emulator.files()[0];
    expect(entry).toMatchObject({
      id,
      sha256: stored?.sha256,
      createdAt: stored?.createdAt,
      expiresAt: stored?.expiresAt,
    });
    await mirror.sync();
    await mirror.expectConverged({ posts: 0, deletes: 0 });
  });

  test('leaves no empty manifest behind when it fails, and none of two works on one mirror', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.start();
    await mirror.flush();
    expect((await mirror.run('adopt')).code).toBe(6);
    expect((await mirror.run('adopt', '--dry-run')).code).toBe(0);
    await mirror.stop();
    await loseManifest(mirror);
    const fault = mirror.emulator.faults.add({ match: { method: 'GET' }, act: serverError('arrival') });
    expect((await mirror.run('adopt')).code).toBe(69);
    expect((await mirror.run('sync')).code, 'an empty manifest would upload everything anew').toBe(78);
    fault.remove();
    expect((await mirror.run('adopt')).code).toBe(0);
    mirror.emulator.requests.clear();
    await mirror.sync();
    await mirror.expectConverged({ posts: 0, deletes: 0 });
  });
});

describe.concurrent('orphans', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('are listed, and deleted alone, with and without a daemon', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.write('user_data/a.pdf', pdfFile(1));
    await mirror.start();
    await mirror.flush();
    expect((await mirror.run('orphans')).stdout).toBe('no orphans\n');
    const oldId = mirror.emulator.files()[0]?.id;
    const fault = mirror.emulator.faults.add({ match: { method: 'DELETE' }, act: serverError('arrival') });
    await mirror.write('user_data/a.pdf', pdfFile(22));
    await mirror.untilStatus(({ garbage }) => garbage === 1);
    const { code, stdout } = await mirror.run('orphans', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      version: 1,
      orphans: [
        {
          id: oldId,
          path: 'user_data/a.pdf',
          purpose: 'user_data',
          bytes: pdfFile(1).length,
          reason: 'replaced',
          hold: false,
          state: 'being deleted',
        },
      ],
    });
    const asked = await mirror.run('orphans', 'delete', '--json');
    expect(asked.code).toBe(0);
    expect(JSON.parse(asked.stdout)).toEqual({ version: 1, deleted: 0, deleting: 1 });

    await mirror.kill9();
    await mirror.write('user_data/b.pdf', pdfFile(3));
    await rm(mirror.at('user_data/a.pdf'));
    expect((await mirror.run('orphans', 'delete')).code, 'the server fails').toBe(69);
    fault.remove();
    mirror.emulator.requests.clear();
    expect(await mirror.run('orphans', 'delete')).toMatchObject({
      code: 0,
      stdout: 'deleted 1 remote file\n',
    });
    expect(mirror.emulator.requests.deletes().map(({ id }) => id)).toEqual([oldId]);
    expect(mirror.emulator.requests.uploads(), 'nothing else is done').toEqual([]);
    expect((await mirror.run('orphans')).stdout).toBe('no orphans\n');
  });

  test('are not deleted for a root that is not this mirror’s', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.write('user_data/a.pdf', pdfFile(1));
    await mirror.start();
    await mirror.flush();
    mirror.emulator.faults.add({ match: { method: 'DELETE' }, act: serverError('arrival'), times: 1 });
    await mirror.write('user_data/a.pdf', pdfFile(22));
    await mirror.untilStatus(({ garbage }) => garbage === 1);
    await mirror.kill9();
    await rm(mirror.at(MARKER_FILE));
    mirror.emulator.requests.clear();
    expect(await mirror.run('orphans', 'delete')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('bears no marker') as string,
    });
    expect(mirror.emulator.requests.deletes()).toEqual([]);
  });
});
