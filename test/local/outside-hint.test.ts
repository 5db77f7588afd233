import { expect, test } from 'vitest';
import { hintForFolder } from '../../src/local/scan.ts';
import { nearestName } from '../../src/contract/nearest-name.ts';

const FOLDERS = ['assistants', 'batch', 'evals', 'fine-tune', 'user_data', 'vision'];

test.each([
  ['Batch', 'batch'],
  ['fine_tune', 'fine-tune'],
  ['FineTune', 'fine-tune'],
  ['fine-tuning', null],
  ['user-data', 'user_data'],
  ['batches', 'batch'],
  ['eval', 'evals'],
  ['visions', 'vision'],
  ['photos', null],
  ['x', null],
  ['', null],
])('%s is probably %s', (name, folder) => {
  expect(nearestName(name, FOLDERS)).toBe(folder);
});

test('the hint says what was meant only when something was', () => {
  expect(hintForFolder('Batch', FOLDERS)).toContain('did you mean "batch"?');
  expect(hintForFolder('photos', FOLDERS)).not.toContain('did you mean');
});
