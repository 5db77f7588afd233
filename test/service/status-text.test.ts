import { expect, test } from 'vitest';
import { formatBytes, formatDuration, formatTime } from '../../src/contract/quantities.ts';
import { renderLastKnown, renderProblems, renderStatus } from '../../src/service/status-text.ts';
import { NO_BATCH_TOTALS } from '../../src/contract/batch-report.ts';
import type { PathState } from '../../src/contract/types.ts';
import { halt, report, status } from './fixtures.ts';

test('a mirror at rest', () => {
  expect(renderStatus(status(), 1000)).toBe(
    [
      'mirror     /srv/files -> https://api.openai.com',
      'running    idle; watching: native',
      'files      3 synced',
      'uploads    0 running, 0 waiting, 0 of 990 in the last minute',
      'last scan  100 s ago',
      '',
    ].join('\n'),
  );
});

test('a mirror in trouble: halts first, then facts, then every problem with its reason', () => {
  const text = renderStatus(
    status({
      paused: true,
      phase: 'working',
      halts: [halt()],
      counts: { ...status().counts, rejected: 1 },
      waitingDeletes: 600,
      garbage: 1,
      openIntents: 10,
      unsureUploads: 2,
      uploads: {
        inWindow: 990,
        limit: 990,
        waiting: 7,
        running: 8,
        pause: { why: 'rate limited', remainingMs: 6500 },
      },
      nextExpiry: { path: 'batch/a.jsonl', expiresAt: 1000 + 29 * 86_400 },
      lastScanAt: null,
      problems: [report({ state: 'rejected', path: 'batch/\u001b[31mred', reason: 'line 3\nis not JSON' })],
      problemsTotal: 41,
      problemGroups: [
        { state: 'rejected', needs: 'person', count: 1 },
        { state: 'pending', needs: 'time', count: 40 },
      ],
    }),
    1000,
  );
  expect(text).toBe(
    [
      'HALTED mass-delete (batch), for 7 s',
      '  cause  600 of 1000 files are gone',
      '  held   their remote files stay',
      '  next   files-mirror approve batch',
      '',
      'mirror       /srv/files -> https://api.openai.com',
      'running      paused; watching: native',
      'files        3 synced, 1 rejected',
      'uploads      8 running, 7 waiting, 990 of 990 in the last minute; rate limited, resumes in 7 s',
      'deletes      600 waiting',
      'unsure       2 uploads whose end is not known yet',
      'garbage      1 remote file still to be deleted',
      'next expiry  batch/a.jsonl, in 29 d (1970-01-30 00:16:40Z)',
      'last scan    not yet',
      '',
      'rejected  batch/\\u001b[31mred: line 3\\nis not JSON',
      'pending   … and 40 more; all of them: `files-mirror list`',
      '',
    ].join('\n'),
  );
});

test('many problems are counted', () => {
  const of = (state: PathState) => Array.from({ length: 25 }, () => report({ state, reason: 'so' }));
  const lines = renderProblems([...of('pending'), ...of('rejected')]).split('\n');
  expect(lines).toEqual([
    ...Array.from({ length: 20 }, () => 'rejected  batch/a.jsonl: so'),
    'rejected  … and 5 more; all of them: `files-mirror list`',
    ...Array.from({ length: 5 }, () => 'pending   batch/a.jsonl: so'),
    'pending   … and 20 more; all of them: `files-mirror list`',
  ]);
  expect(renderProblems([])).toBe('');
});

test('a mirror that does not run', () => {
  const text = renderLastKnown(
    {
      version: 1,
      running: false,
      process: null,
      mirrorId: 'm',
      files: 2,
      rejected: 1,
      openIntents: 0,
      garbage: 0,
      undeletable: 0,
      heldGarbage: 3,
      nextExpiry: { path: 'batch/a', expiresAt: 900 },
      problems: [report({ state: 'rejected', reason: 'line 3 is not JSON' })],
      problemsTotal: 1,
      batches: NO_BATCH_TOTALS,
      problemGroups: [{ state: 'rejected', needs: 'person', count: 1 }],
    },
    'start one with: `files-mirror run`',
    1000,
  );
  expect(text).toContain('no; this is what was recorded last');
  expect(text).toContain('2 mirrored, 1 rejected');
  expect(text).toMatch(/\n\nrejected {2}batch\/a\.jsonl: line 3 is not JSON\n$/);
  expect(text).toContain('3 remote files kept aside');
  expect(text).toContain('batch/a, has expired (1970-01-01 00:15:00Z)');
});

test('quantities', () => {
  expect([0, 175, 999, 1000, 1_234_567, 999_950, 2.5e12, 5e15].map(formatBytes)).toEqual([
    '0 B',
    '175 B',
    '999 B',
    '1.0 KB',
    '1.2 MB',
    '1.0 MB',
    '2.5 TB',
    '5000.0 TB',
  ]);
  expect(
    [-5, 0.2, 80, 1000, 6500, 119_000, 121_000, 7_100_000, 7_300_000, 200 * 3_600_000].map(formatDuration),
  ).toEqual(['0 ms', '1 ms', '80 ms', '1 s', '7 s', '119 s', '3 min', '119 min', '3 h', '9 d']);
  expect(formatTime(1_795_309_200.5)).toBe('2026-11-22 01:00:00Z');
});

test('batches: what runs, why others wait, when it goes on, and what a person should look at', () => {
  const batches = {
    ...NO_BATCH_TOTALS,
    waiting: 3,
    held: 3,
    open: 2,
    done: 7,
    partial: 1,
    requests: 20,
    requestsDone: 12,
    nextPoll: '1970-01-01T00:16:52.000Z',
    soonestEnd: '1970-01-01T02:16:40.000Z',
    waits: [
      { why: 'off', text: 'submitting is off for batch/', count: 2 },
      { why: 'queue', text: '50 are open', count: 1 },
    ],
    problems: [{ path: 'batch/a.jsonl', state: 'partial', text: '1 of its requests has no answer' }],
    problemsTotal: 3,
  } as const;
  const lines = renderStatus(status({ batches }), 1000).split('\n');
  expect(lines.slice(4)).toEqual([
    'batches    2 open, 12 of 20 requests done, 3 waiting, 7 answered, 1 answered in part',
    'waiting    2: submitting is off for batch/',
    'waiting    1: 50 are open',
    'polling    next poll within 12 s, soonest end within 2 h',
    'last scan  100 s ago',
    '',
    'batch partial  batch/a.jsonl: 1 of its requests has no answer',
    'batch          … and 2 more; all of them: `files-mirror batch list`',
    '',
  ]);
});
