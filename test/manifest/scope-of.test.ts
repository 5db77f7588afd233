import { expect, test } from 'vitest';
import { scopeOf } from '../../src/compose/remembered.ts';
import { changesSince, noFingerprints, withIdsIn } from '../../src/manifest/api-scope.ts';
import { configFolder } from '../config/load-for-test.ts';

const { load } = configFolder();
const baseUrl = 'https://gateway.example/v1';

async function scope(api: object, env: Record<string, string> = {}) {
  return scopeOf({ config: await load({ api: { baseUrl, ...api } }) }, 'sk-key', env);
}

test.each([
  ['a form field', { uploadFields: { custom_llm_provider: 'azure' } }, {}, ['the headers or form fields']],
  [
    'the value behind a header',
    { headers: { 'x-a': { env: 'A' } } },
    { A: '2' },
    ['the headers or form fields'],
  ],
  ['where the same value comes from', { headers: { 'x-a': '1' } }, {}, []],
  ['an expiry', { expiry: { maxSeconds: 7200 } }, {}, []],
])('another scope or the same: %s', async (_, change, env, words) => {
  const before = { headers: { 'x-a': { env: 'A' } }, uploadFields: { custom_llm_provider: 'openai' } };
  const known = withIdsIn(noFingerprints(), await scope(before, { A: '1' }));
  expect(changesSince(known, await scope({ ...before, ...change }, { A: '1', ...env }))).toEqual(words);
});
