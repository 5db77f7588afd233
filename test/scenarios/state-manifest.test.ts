import { readFile, rm, truncate, writeFile, appendFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, type TestContext } from 'vitest';
import { openTestMirror, type TestMirror } from '../support/blackbox/mirror-process.ts';

const PATHS = ['user_data/1.txt', 'user_data/2.txt', 'user_data/3.txt'];

/** A mirror with three files whose daemon was stopped (a snapshot) or killed (a journal). */
async function ended(context: TestContext, how: 'stopped' | 'killed'): Promise<TestMirror> {
  const mirror = await openTestMirror(context);
  for (const path of PATHS) await mirror.write(path, `content of ${path}`);
  await mirror.start();
  await mirror.expectConverged({ posts: 3, deletes: 0 });
  if (how === 'stopped') await mirror.stop();
  else await mirror.kill9();
  mirror.emulator.requests.clear();
  return mirror;
}

async function expectRefused(mirror: TestMirror, words: RegExp): Promise<void> {
  const exit = await mirror.launch().exit();
  expect(exit).toMatchObject({ code: 78, stderr: expect.stringMatching(words) });
  expect(mirror.emulator.requests.all()).toEqual([]);
}

const snapshotOf = ({ stateDir }: TestMirror): string => join(stateDir, 'manifest.json');
const journalOf = ({ stateDir }: TestMirror): string => join(stateDir, 'manifest.journal');

describe('a manifest that cannot be used', { concurrent: true }, () => {
  const damages: readonly {
    readonly name: string;
    readonly words: RegExp;
    readonly damage: (text: string) => string;
  }[] = [
    {
      name: 'C6: cut in half',
      words: /Restore manifest\.json/,
      damage: (text) => text.slice(0, text.length / 2),
    },
    { name: 'C6: garbage', words: /Restore manifest\.json/, damage: () => '\u0000\u0001 not a manifest' },
    { name: 'C6: emptied', words: /Restore manifest\.json/, damage: () => '' },
    {
      name: 'C6: one changed byte',
      words: /Restore manifest\.json/,
      damage: (text) => text.replace('"bytes":2', '"bytes":3'),
    },
    {
      name: 'C6, C15: written by a newer version',
      words: /newer files-mirror.*Run that version again/s,
      damage: (text) => text.replace('"version":2', '"version":3'),
    },
  ];
  for (const { name, words, damage } of damages) {
    test(`${name}: exit 78 with what to do; the file stays as it is, nothing is sent`, async (context) => {
      const mirror = await ended(context, 'stopped');
      const whole = await readFile(snapshotOf(mirror), 'utf8');
      const damaged = damage(whole);
      expect(damaged).not.toBe(whole);
      await writeFile(snapshotOf(mirror), damaged);
      await expectRefused(mirror, words);
      expect(await readFile(snapshotOf(mirror), 'utf8')).toBe(damaged);
      await writeFile(snapshotOf(mirror), whole);
      await mirror.start();
      await mirror.expectConverged({ posts: 0, deletes: 0 });
    });
  }

  test('C6: a damaged line in the middle of the journal: exit 78, the file stays as it is', async (context) => {
    const mirror = await ended(context, 'killed');
    const lines = (await readFile(journalOf(mirror), 'utf8')).split('\n');
    expect(lines.length).toBeGreaterThan(4);
    lines[2] = lines[2]?.replace(/[0-9a-f](?=[0-9a-f])/, (digit) => (digit === '0' ? '1' : '0')) ?? '';
    await writeFile(journalOf(mirror), lines.join('\n'));
    await expectRefused(mirror, /manifest\.journal.*nothing was changed or sent/s);
    expect(await readFile(journalOf(mirror), 'utf8')).toBe(lines.join('\n'));
  });

  test('C6: a torn last line of the journal is healed without a word', async (context) => {
    const mirror = await ended(context, 'killed');
    const text = await readFile(journalOf(mirror), 'utf8');
    const last = text.trimEnd().split('\n').at(-1) ?? '';
    await appendFile(journalOf(mirror), last.slice(0, last.length / 2));
    await mirror.start();
    await mirror.expectConverged({ posts: 0, deletes: 0 });
    expect(mirror.process.log).not.toMatch(/"level":"(warn|error)"/);
  });

  test('C6: a last line that lost its end: what it said is found out again, nothing is there twice', async (context) => {
    const mirror = await ended(context, 'killed');
    const { length } = await readFile(journalOf(mirror));
    await truncate(journalOf(mirror), length - 10);
    await mirror.start();
    await mirror.untilConverged({ deletes: 0 });
    expect(mirror.emulator.files()).toHaveLength(PATHS.length);
  });

  test('C6: a journal that is gone: exit 78, a lost half is no manifest', async (context) => {
    const mirror = await ended(context, 'killed');
    await rename(journalOf(mirror), join(mirror.folder, 'aside'));
    await expectRefused(mirror, /is missing.*nothing was changed or sent/s);
    await rename(join(mirror.folder, 'aside'), journalOf(mirror));
    await mirror.start();
    await mirror.expectConverged({ posts: 0, deletes: 0 });
  });

  test('C7: a manifest that is lost: exit 78 naming adopt; nothing is uploaded a second time', async (context) => {
    const mirror = await ended(context, 'stopped');
    await rm(mirror.stateDir, { recursive: true });
    await expectRefused(mirror, /files-mirror adopt/);
    const { code, stderr } = await mirror.run('sync');
    expect(code).toBe(78);
    expect(stderr).toContain('files-mirror adopt');
    expect(mirror.emulator.requests.all()).toEqual([]);
  });
});
