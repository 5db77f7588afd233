import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/cli/verb.ts';
import { exitCode, exitCodeOf, exitCodeOfResult } from '../../src/cli/exit-code.ts';
import { Fault, type FaultDetails } from '../../src/contract/faults.ts';
import { StopRequest } from '../../src/service/signals.ts';
import { halt, report } from '../service/fixtures.ts';

const fault = (details: Partial<FaultDetails>) =>
  new Fault('x', { disposition: 'fatal', outcome: 'refused', rule: 'some', ...details });

test.each<[string, unknown, number]>([
  ['another instance', fault({ rule: 'locked' }), 6],
  ['a wrong configuration', fault({ rule: 'config' }), 78],
  ['a damaged manifest', fault({ rule: 'manifest' }), 78],
  ['a state folder that cannot be written', fault({ rule: 'state', halt: 'state', disposition: 'halt' }), 78],
  ['no key', fault({ rule: 'no-key', halt: 'auth' }), 77],
  ['a refused key', fault({ rule: 'server-401', halt: 'auth', disposition: 'halt', status: 401 }), 77],
  ['a full quota', fault({ rule: 'quota', halt: 'quota', disposition: 'halt' }), 5],
  ['no network', fault({ rule: 'network', disposition: 'retry' }), 69],
  ['an id that the API does not know', fault({ rule: 'server-404', disposition: 'retry', status: 404 }), 1],
  ['a server that fails', fault({ rule: 'server-500', disposition: 'retry', status: 500 }), 69],
  ['a wrong base URL', fault({ rule: 'wrong-url', disposition: 'retry', status: 404 }), 69],
  ['a refused request', fault({ rule: 'server-404', disposition: 'skip', status: 404 }), 1],
  ['no daemon', fault({ rule: 'not-running' }), 3],
  ['the time is up', fault({ rule: 'wait-timeout' }), 1],
  ['a bad command line', new UsageError('x'), 64],
  ['Ctrl-C', new StopRequest('SIGINT'), 130],
  ['a defect', new TypeError('x'), 70],
  ['a thrown text', 'x', 70],
])('%s', (_, error, code) => {
  expect(exitCodeOf(error)).toBe(code);
});

describe('a pass ends with', () => {
  const problems = [report({ state: 'rejected' })];
  test.each([
    ['0 when all is mirrored', { problems: [], halts: [] }, 0],
    [
      '0 when files are only ignored, or links',
      {
        problems: [report({ state: 'ignored' }), report({ state: 'skipped', needs: 'nothing' })],
        halts: [],
      },
      0,
    ],
    ['1 when a file was rejected', { problems, halts: [] }, 1],
    ['1 when a file cannot be read', { problems: [report({ state: 'skipped' })], halts: [] }, 1],
    ['1 when a file is held', { problems: [report({ state: 'held' })], halts: [] }, 1],
    ['1 when a file failed', { problems: [report({ state: 'failed' })], halts: [] }, 1],
    ['5 when a guard halted it', { problems, halts: [halt()] }, 5],
    ['77 when the key is refused', { problems, halts: [halt(), halt({ name: 'auth' })] }, 77],
  ])('%s', (_, result, code) => {
    expect(exitCodeOfResult(result)).toBe(code);
  });
});

test('the README names every exit code', () => {
  const text = /^Exit codes: .*$/m.exec(readFileSync('README.md', 'utf8'))?.[0] ?? '';
  for (const code of Object.values(exitCode)) expect(text).toMatch(new RegExp(`(: |· |, )${code} `));
});
