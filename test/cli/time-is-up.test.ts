import { expect, test } from 'vitest';
import { leftText, notMirroredText } from '../../src/cli/time-is-up.ts';
import { stoppingText } from '../../src/cli/stop-signals.ts';
import { StopRequest } from '../../src/service/signals.ts';
import { report, status } from '../service/fixtures.ts';

test('when the time is up, what is left is counted by its state', () => {
  const counts = { ...status().counts, uploading: 1, pending: 2, synced: 9, rejected: 1 };
  expect(leftText(status({ counts, garbage: 1 }), 5_000)).toBe(
    'not everything was mirrored within 5 s: 3 files are left (1 uploading, 2 pending), 1 remote file is still to be deleted',
  );
  const one = { ...status().counts, uploading: 0, pending: 0, settling: 1, failed: 0, deleting: 0 };
  expect(leftText(status({ counts: one, garbage: 0 }), 5_000)).toBe(
    'not everything was mirrored within 5 s: 1 file is left (1 settling)',
  );
});

test('the path that was waited for is named, with its state and the reason for it', () => {
  const settling = report({ path: 'batch/a', state: 'settling', reason: 'it still changes' });
  expect(notMirroredText('batch/a', settling, 5_000)).toBe(
    'batch/a was not mirrored within 5 s: it is settling: it still changes',
  );
  expect(notMirroredText('batch/a', null, 5_000)).toBe(
    'batch/a was not mirrored within 5 s: it is not known',
  );
});

test('a mirror that is stopped says what it waits for, and how that is broken off', () => {
  expect(stoppingText(0, new StopRequest('SIGINT'))).toBe('stopping');
  expect(stoppingText(1, new StopRequest('SIGINT'))).toBe(
    'stopping: waits until 1 upload has ended, 15 s at most; a second Ctrl-C breaks off at once, and nothing is lost by that',
  );
  expect(stoppingText(2, new StopRequest('SIGTERM'))).toMatch(
    /2 uploads have ended.*a second signal breaks off/,
  );
});
