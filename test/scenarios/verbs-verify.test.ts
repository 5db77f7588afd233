/** `verify` and `usage`: what is recorded, held against the API. */
import { describe, test, type TestContext } from 'vitest';
import { unauthorized } from '../support/fault-presets.ts';
import type { VerifyReport } from '../../src/contract/report.ts';
import { openTestMirror, SCENARIO_TIMEOUT_MS, type TestMirror } from '../support/blackbox/mirror-process.ts';
import { batchFile, pdfFile } from '../support/blackbox/samples.ts';

interface Harmed {
  readonly mirror: TestMirror;
  /** Of the remote file that somebody deleted. */
  readonly goneId: string;
}

/** A mirror of three files, one of which has vanished remotely, and one foreign file. */
async function harmedMirror(context: TestContext, withDaemon: boolean): Promise<Harmed> {
  let aheadMs = 0;
  const mirror = await openTestMirror(context, {
    emulator: { clock: { nowMs: () => Date.now() + aheadMs } },
  });
  await mirror.write('batch/a.jsonl', batchFile(1));
  await mirror.write('batch/b.jsonl', batchFile(2));
  await mirror.write('user_data/c.pdf', pdfFile(3));
  if (withDaemon) {
    await mirror.start();
    await mirror.flush();
  } else {
    await mirror.sync();
  }
  // A file that is younger than a minute may only be missing from the list yet.
  aheadMs = 120_000;
  const goneId = mirror.emulator.files().find(({ filename }) => filename === 'a.jsonl')?.id ?? '';
  context.expect(mirror.emulator.store.remove(goneId)).toBe(true);
  await mirror.addForeign('user_data', 'theirs.pdf', pdfFile(9));
  mirror.emulator.requests.clear();
  return { mirror, goneId };
}

describe.concurrent('verify', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  for (const withDaemon of [true, false]) {
    const how = withDaemon ? 'by the daemon' : 'without a daemon';
    test(`tells what is missing and what is not ours, ${how}, and --repair uploads it again`, async (context) => {
      const { expect } = context;
      const { mirror, goneId } = await harmedMirror(context, withDaemon);
      const found = await mirror.run('verify', '--json');
      expect(found.code).toBe(2);
      expect(JSON.parse(found.stdout) as VerifyReport).toMatchObject({
        version: 1,
        checked: 3,
        missing: [{ path: 'batch/a.jsonl', id: goneId }],
        differing: [],
        expired: [],
        repaired: false,
        usage: [
          { purpose: 'batch', ownedFiles: 1, unownedFiles: 0 },
          { purpose: 'user_data', ownedFiles: 1, unownedFiles: 1 },
        ],
      });
      expect(mirror.emulator.requests.uploads()).toEqual([]);

      const repaired = await mirror.run('verify', '--repair');
      expect(repaired.code, repaired.stderr).toBe(0);
      expect(repaired.stdout).toContain(
        `missing    batch/a.jsonl (${goneId}): gone at the API, uploaded again\n`,
      );
      expect(repaired.stdout).toMatch(/^not ours {3}user_data: 1 file, /m);
      expect(repaired.stdout).toMatch(/3 mirrored files compared: 1 missing, 0 differing, 0 expired\n$/);
      await mirror.expectConverged({ posts: 1 });
      expect((await mirror.run('verify')).code).toBe(0);
    });
  }

  for (const withDaemon of [true, false]) {
    const how = withDaemon ? 'by the daemon' : 'without a daemon';
    test(`of a file that was just uploaded nothing is claimed, ${how}; --wait waits until it can be judged`, async (context) => {
      const { expect } = context;
      let aheadMs = 0;
      const mirror = await openTestMirror(context, {
        emulator: { clock: { nowMs: () => Date.now() + aheadMs } },
      });
      await mirror.write('batch/a.jsonl', batchFile(1));
      await mirror.write('batch/b.jsonl', batchFile(2));
      if (withDaemon) {
        await mirror.start();
        await mirror.flush();
      } else {
        await mirror.sync();
      }
      const gone = mirror.emulator.files().find(({ filename }) => filename === 'a.jsonl')?.id ?? '';
      expect(mirror.emulator.store.remove(gone)).toBe(true);

      const young = await mirror.run('verify', '--json');
      expect(young.code).toBe(2);
      const unsure = { checked: 1, unjudged: ['batch/a.jsonl'], missing: [], differing: [], expired: [] };
      expect(JSON.parse(young.stdout) as VerifyReport).toMatchObject(unsure);
      const { stdout } = await mirror.run('verify');
      expect(stdout).toMatch(/^unjudged {3}batch\/a\.jsonl: /m);
      expect(stdout).toMatch(/^1 mirrored file compared: .*\n1 more file could not be judged; .*--wait/m);

      aheadMs = 45_000;
      const waited = await mirror.run('verify', '--wait', '--json');
      expect(waited.code).toBe(2);
      const known = { checked: 2, unjudged: [], missing: [{ path: 'batch/a.jsonl', id: gone }] };
      expect(JSON.parse(waited.stdout) as VerifyReport).toMatchObject(known);
    });

    test(`a new file that only lists do not show yet is looked up, ${how}`, async (context) => {
      const { expect } = context;
      const mirror = await openTestMirror(context);
      mirror.emulator.faults.add({ act: { kind: 'list-lag', ms: 3_600_000, retrieve: false } });
      await mirror.write('batch/a.jsonl', batchFile(1));
      if (withDaemon) {
        await mirror.start();
        await mirror.flush();
      } else {
        await mirror.sync();
      }
      const { code, stdout } = await mirror.run('verify', '--json');
      expect(code).toBe(0);
      expect(JSON.parse(stdout) as VerifyReport).toMatchObject({ checked: 1, unjudged: [], missing: [] });
    });
  }

  test('a refused key ends with 77, asked by the daemon or alone; no answer with 69', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.start();
    await mirror.flush();
    const fault = mirror.emulator.faults.add({ match: { method: 'GET' }, act: unauthorized() });
    expect(await mirror.run('verify')).toMatchObject({ code: 77, stdout: '' });
    await mirror.stop();
    expect(await mirror.run('verify')).toMatchObject({ code: 77, stdout: '' });
    expect(await mirror.run('usage')).toMatchObject({ code: 77, stdout: '' });
    fault.remove();
    mirror.emulator.faults.add({ act: { kind: 'reset', at: 'arrival' } });
    expect(await mirror.run('verify')).toMatchObject({ code: 69, stdout: '' });
    expect(await mirror.run('usage')).toMatchObject({ code: 69, stdout: '' });
  });
});

test(
  'usage: a row for every purpose, ours and others’, against the limit',
  { timeout: SCENARIO_TIMEOUT_MS },
  async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context, { config: { limits: { storageBytes: 100_000 } } });
    await mirror.write('batch/a.jsonl', batchFile(1));
    const bytes = batchFile(1).length;
    await mirror.sync();
    await mirror.addForeign('assistants', 'theirs.txt', 'x'.repeat(25_000));
    await mirror.addForeign('batch', 'theirs.jsonl', 'y'.repeat(75_000 - bytes));
    const { code, stdout } = await mirror.run('usage', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      version: 1,
      purposes: [
        {
          purpose: 'assistants',
          ownedFiles: 0,
          ownedBytes: 0,
          unownedFiles: 1,
          unownedBytes: 25_000,
          unsizedFiles: 0,
        },
        {
          purpose: 'batch',
          ownedFiles: 1,
          ownedBytes: bytes,
          unownedFiles: 1,
          unownedBytes: 75_000 - bytes,
          unsizedFiles: 0,
        },
      ],
      totalBytes: 100_000,
      unsizedFiles: 0,
      storageBytes: 100_000,
    });
    const lines = (await mirror.run('usage')).stdout.split('\n');
    expect(lines[1]).toMatch(/^assistants {2}0 files {2}0 B +1 file {4}25\.0 KB$/);
    expect(lines.at(-2)).toBe('total 100.0 KB of 100.0 KB (100.0 %)');
  },
);
