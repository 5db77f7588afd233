import { execFileSync } from 'node:child_process';
import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { command, plainInvocation, withCommands, withCommandsIn } from '../../src/contract/command.ts';

const elsewhere = { program: 'sudo -u mirror files-mirror', options: " --root '/srv/open files'" };

test('a command is told without options, and printed with those of the process that prints it', () => {
  const text = `put the files back, or delete them with: ${command('approve', 'batch')}; or wait`;
  expect(withCommands(text, plainInvocation)).toBe(
    'put the files back, or delete them with: files-mirror approve batch; or wait',
  );
  expect(withCommands(text, elsewhere)).toBe(
    "put the files back, or delete them with: sudo -u mirror files-mirror approve batch --root '/srv/open files'; or wait",
  );
});

test('what is not such a command stays as it is', () => {
  for (const text of ['`rm -r x`', 'batch/files-mirror run.jsonl', "it is 'files-mirror'"])
    expect(withCommands(text, elsewhere)).toBe(text);
});

test('whatever a path is called, a shell reads it back as it is', () => {
  const path = string({ unit: 'binary-ascii', minLength: 1 }).filter((text) => !text.includes('\0'));
  assert(
    property(path, (operand) => {
      const line = withCommands(command('retry', operand), { program: "printf '%s\\0'", options: '' });
      expect(execFileSync('/bin/sh', ['-c', line], { encoding: 'utf8' })).toBe(`retry\0${operand}\0`);
    }),
    { numRuns: 60 },
  );
});

test('in an object only what tells something is changed, at any depth', () => {
  const said = command('resume');
  expect(withCommandsIn({ halts: [{ next: said, name: said }], path: said }, plainInvocation)).toEqual({
    halts: [{ next: 'files-mirror resume', name: said }],
    path: said,
  });
});
