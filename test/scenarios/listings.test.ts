/** Servers that list in their own way, under every verb and every part of the engine that reads a listing. */
import { rm } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import type { EmulatorOptions } from '../support/faulty-emulator.ts';
import { oddEntries, serverError } from '../support/fault-presets.ts';
import type { AdoptReport } from '../../src/mirror/offline/adopt.ts';
import { openTestMirror, SCENARIO_TIMEOUT_MS } from '../support/blackbox/mirror-process.ts';
import { batchFile } from '../support/blackbox/samples.ts';

/** More than a page of a server that caps them, and no round number. */
const COUNT = 43;
const UPLOADS = { method: 'POST', path: /\/files$/ } as const;
const LISTINGS = { method: 'GET', path: /\/files$/ } as const;

const capped = { maxLimit: 20, defaultLimit: 20, overLimit: 'capped' } as const;
const servers: readonly { readonly what: string; readonly list: EmulatorOptions['list'] & object }[] = [
  { what: 'pages of 20 and no has_more', list: { ...capped, envelope: 'bare' } },
  { what: 'a limit over 20 refused', list: { ...capped, overLimit: 'refused', envelope: 'bare' } },
  { what: 'tokens', list: { ...capped, envelope: 'token', parameters: ['limit', 'pagination_token'] } },
  { what: 'oldest first', list: { ...capped, order: 'asc', parameters: ['limit', 'after'] } },
  { what: 'unknown parameters refused', list: { ...capped, unknown: 'refused', parameters: ['after'] } },
];

describe('servers that list in their own way', { concurrent: true, timeout: SCENARIO_TIMEOUT_MS }, () => {
  for (const { what, list } of servers) {
    test(`${what}: verify, usage, list --remote, doctor and adopt see all of it, and nothing is sent twice`, async (context) => {
      const mirror = await openTestMirror(context, { emulator: { list } });
      const paths = Array.from({ length: COUNT }, (_, at) => `batch/${at}.jsonl`);
      await Promise.all(paths.map((path, at) => mirror.write(path, batchFile(at, 1))));
      await mirror.sync();
      await mirror.differences().then((found) => expect(found).toEqual([]));

      const verified = await mirror.run('verify');
      expect(verified.stdout).toContain('0 missing');
      const { purposes } = JSON.parse((await mirror.run('usage', '--json')).stdout) as {
        purposes: readonly { ownedFiles: number }[];
      };
      expect(purposes).toMatchObject([{ ownedFiles: COUNT }]);
      const listed = JSON.parse((await mirror.run('list', '--remote', '--json')).stdout) as object[];
      expect(listed).toHaveLength(COUNT);
      expect((await mirror.run('doctor')).stdout).toContain('ok    listing: is readable');

      await rm(mirror.stateDir, { recursive: true });
      const adopted = JSON.parse((await mirror.run('adopt', '--json')).stdout) as AdoptReport;
      expect(adopted.adopted).toHaveLength(COUNT);
      await mirror.sync();
      expect(mirror.emulator.requests.uploads()).toHaveLength(COUNT);
    });

    test(`${what}: an upload whose reply was lost is found behind many others and adopted`, async (context) => {
      const mirror = await openTestMirror(context, { emulator: { list } });
      for (let at = 0; at < 60; at += 1) await mirror.addForeign('batch', `${at}.jsonl`, 'x');
      mirror.emulator.faults.add({ match: UPLOADS, act: serverError('handled'), times: 1 });
      await mirror.write('batch/a.jsonl', batchFile(1));
      await mirror.start();
      await mirror.untilConverged({ posts: 1, deletes: 0 });
    });
  }

  test('odd entries of others: a lost reply is adopted all the same, and they are named once', async (context) => {
    const mirror = await openTestMirror(context);
    const odd = [null, { id: null, filename: 'x' }, { id: 'x'.repeat(338), created_at: null }, 7];
    mirror.emulator.faults.add({ match: LISTINGS, act: oddEntries(...odd) });
    mirror.emulator.faults.add({ match: UPLOADS, act: serverError('handled'), times: 1 });
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.start();
    await mirror.untilConverged({ posts: 1, deletes: 0 });
    expect((await mirror.run('verify')).code).toBe(0);
    expect((await mirror.run('verify')).code).toBe(0);
    for (const problem of ['an entry is null', '"id" is null']) {
      const line = JSON.stringify(`1 entry of the API's listing cannot be read and is left out: ${problem}`);
      expect(mirror.logs.split(`"msg":${line}`)).toHaveLength(2);
    }
    const remote = await mirror.run('list', '--remote', '--json');
    expect(JSON.parse(remote.stdout)).toHaveLength(2);
    expect(remote.stderr).toContain('an entry is null');
    const usage = await mirror.run('usage');
    expect(usage.stdout).toContain('1 file whose size the API does not say');
  });
});
