import { expect, test } from 'vitest';
import { IdentityIndex } from '../../src/mirror/memory/identity-index.ts';
import { findMovedFrom } from '../../src/mirror/acts/moved-from.ts';
import type { Change, Entry, LocalLook, MirrorPath } from '../../src/contract/types.ts';
import { entry } from '../manifest/samples.ts';

test('a rename is found although the index is a moment behind the view', async () => {
  const stat = '5 1 1 71 2049';
  const other = '5 2 2 72 2049';
  const files = new Map<MirrorPath, Entry>([
    ['batch/a', entry('file-1', { stat, remoteName: 'x' })],
    ['batch/b', entry('file-2', { stat: other, remoteName: 'x' })],
  ]);
  const view = { mirrorId: '', files, intents: new Map(), garbage: new Map(), rejected: new Map() };
  const index = new IdentityIndex(view);
  expect(index.otherPathOf('batch/c', stat)).toBe('batch/a');

  // The two change places: the view has it at once, the index some turns later.
  const before = new Map(files);
  const change: Change = {
    files: {
      'batch/a': entry('file-2', { stat: other, remoteName: 'x' }),
      'batch/b': entry('file-1', { stat, remoteName: 'x' }),
    },
  };
  for (const [path, changed] of Object.entries(change.files ?? {}))
    if (changed !== null) files.set(path, changed);
  const absent: LocalLook = { kind: 'absent', onDevice: '2049' };
  const found = findMovedFrom({ view, index, local: { look: async () => absent } }, 'batch/c', stat);
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  index.apply(change, before, 0);
  expect(await found).toMatchObject({ path: 'batch/b', entry: { id: 'file-1' } });
});
