import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stateFilesIn } from '../../src/manifest/state-files.ts';
import { readApiIdentity, writeApiRecord } from '../../src/manifest/api-identity.ts';
import { openRecordedApi } from '../../src/manifest/api-memory.ts';
import type { ApiScope } from '../../src/manifest/api-scope.ts';

const scope: ApiScope = {
  address: 'https://gateway.example/v1?tenant=a',
  organization: 'org-1',
  project: null,
  headers: { 'x-provider': 'openai', 'x-account': 'secret-account' },
  key: 'sk-secret-key',
  settings: { auth: 'bearer', timeoutSeconds: 600 },
};

let stateDir: string;
beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'fm-scope-'));
  await writeApiRecord(stateFilesIn(stateDir), {
    identity: { kind: 'remote', host: 'gateway.example' },
    fingerprints: null,
  });
});
afterEach(() => rmSync(stateDir, { recursive: true }));

const open = (change: Partial<ApiScope> = {}, isDry = false) =>
  openRecordedApi(stateDir, { ...scope, ...change }, isDry);

describe('what the recorded ids belong to', () => {
  test('is not known until it is confirmed, over restarts too', async () => {
    expect((await open()).changes()).not.toEqual([]);
    await (await open()).confirm();
    expect((await open()).changes()).toEqual([]);
  });

  test.each<[string, Partial<ApiScope>, readonly string[]]>([
    ['another port', { address: 'https://gateway.example:444/v1?tenant=a' }, ['the base URL']],
    ['another base path', { address: 'https://gateway.example/v2?tenant=a' }, ['the base URL']],
    ['another query', { address: 'https://gateway.example/v1?tenant=b' }, ['the base URL']],
    ['another organization', { organization: 'org-2' }, ['the organization']],
    ['a project', { project: 'proj-1' }, ['the project']],
    [
      'another header',
      { headers: { ...scope.headers, 'x-account': 'other' } },
      ['the headers or form fields'],
    ],
    ['no header', { headers: {} }, ['the headers or form fields']],
    ['another key', { key: 'sk-other' }, ['the key']],
    ['no key', { key: null }, ['the key']],
    ['key and project', { key: 'sk-other', project: 'proj-1' }, ['the project', 'the key']],
    [
      'another order of the headers',
      { headers: { 'x-account': 'secret-account', 'x-provider': 'openai' } },
      [],
    ],
    ['another timeout', { settings: { auth: 'bearer', timeoutSeconds: 1 } }, []],
  ])('%s', async (_, change, words) => {
    await (await open()).confirm();
    expect((await open(change)).changes()).toEqual(words);
  });

  test('a key that is exchanged while it runs, and put back', async () => {
    const api = await open();
    await api.confirm();
    api.useKey('sk-other');
    expect(api.changes()).toEqual(['the key']);
    api.useKey(scope.key);
    expect(api.changes()).toEqual([]);
    api.useKey('sk-rotated');
    await api.confirm();
    expect([api.changes(), (await open()).changes()]).toEqual([[], ['the key']]);
  });

  test('is written as salted hashes: no key, no header, and nothing to compare two mirrors by', async () => {
    const read = (): string => readFileSync(join(stateDir, 'api.json'), 'utf8');
    await (await open()).confirm();
    await (await open()).noteAsked();
    const first = read();
    for (const secret of ['sk-secret', 'secret-account', 'tenant']) expect(first).not.toContain(secret);
    await writeApiRecord(stateFilesIn(stateDir), {
      identity: { kind: 'remote', host: 'gateway.example' },
      fingerprints: null,
    });
    await (await open()).confirm();
    const hashes = (text: string) => text.match(/[0-9a-f]{32}/g) ?? [];
    expect(hashes(first)).toHaveLength(7);
    expect(hashes(first).filter((hash) => read().includes(hash))).toEqual([]);
    expect(await readApiIdentity(stateDir)).toEqual({ kind: 'remote', host: 'gateway.example' });
  });

  test('a dry run writes nothing', async () => {
    const api = await open({}, true);
    await api.confirm();
    expect(api.changes()).toEqual([]);
    expect((await open()).changes()).not.toEqual([]);
  });
});

describe('how the API was asked', () => {
  test.each<[string, Partial<ApiScope>, boolean]>([
    ['as before', {}, false],
    ['with another key', { key: 'sk-other' }, true],
    ['with another header', { headers: { 'x-provider': 'azure' } }, true],
    ['with another setting', { settings: { auth: 'api-key', timeoutSeconds: 600 } }, true],
  ])('%s: otherwise %s', async (_, change, otherwise) => {
    expect((await open()).isAskedOtherwise()).toBe(true);
    await (await open()).noteAsked();
    expect((await open(change)).isAskedOtherwise()).toBe(otherwise);
  });

  test('both notes are kept when they are made at once', async () => {
    const api = await open();
    await Promise.all([api.noteAsked(), api.confirm()]);
    const later = await open();
    expect([later.changes(), later.isAskedOtherwise()]).toEqual([[], false]);
  });
});
