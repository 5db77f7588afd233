import { describe, expect, test } from 'vitest';
import {
  clockCheck,
  limitsCheck,
  manifestCheck,
  nodeCheck,
  rootCheck,
  stateCheck,
  watchCheck,
  type Check,
} from '../../src/cli/diagnosis.ts';
import type { Places } from '../../src/compose.ts';
import type { Config } from '../../src/config/config.ts';
import type { ManifestView } from '../../src/contract/types.ts';

const fine: Places = {
  root: {
    look: { kind: 'ok', device: '1' },
    markedFor: 'm1',
    writable: true,
    remoteKind: null,
    directories: 7,
    maxUserWatches: 8192,
  },
  state: { kind: 'there', writable: true, mode: 0o700, recordedAtMs: 1_000_000 },
};
const withRoot = (change: Partial<Places['root']>): Places => ({
  ...fine,
  root: { ...fine.root, ...change },
});

const entry = {
  id: 'file-a',
  purpose: 'batch',
  remoteName: 'a',
  bytes: 1_500,
  sha256: 'ab',
  stat: '1500 1 1 1 1',
  uploadedAt: 1,
  createdAt: 1,
  expiresAt: null,
};
const used: ManifestView = {
  mirrorId: 'm1',
  files: new Map([['batch/a', entry]]),
  intents: new Map(),
  garbage: new Map(),
  rejected: new Map(),
};

const watch: Config['watch'] = {
  mode: 'auto',
  settleSeconds: 2,
  rescanSeconds: 600,
  pollSeconds: 5,
  ignore: [],
};
const limits = {
  uploadsPerMinute: 990,
  concurrentUploads: 8,
  concurrentDeletes: 4,
  uploadBytesPerSecond: null,
  storageBytes: null,
};
const config = (change: Partial<Config> = {}): Config =>
  ({ root: '/root-dir', stateDir: '/state-dir', watch, limits, ...change }) as Config;
const watching = (change: Partial<Config['watch']>) => config({ watch: { ...watch, ...change } });

describe('a diagnosis', () => {
  test.each<[string, Check, Check['level'], RegExp]>([
    ['a new enough Node', nodeCheck('24.1.0', '>=22.22'), 'ok', /^24\.1\.0$/],
    ['exactly the oldest Node', nodeCheck('22.22.0', '>=22.22'), 'ok', /22\.22/],
    ['an older Node of that line', nodeCheck('22.9.0', '>=22.22'), 'fail', /22\.9\.0 is older than >=22\.22/],
    ['an old Node', nodeCheck('18.30.0', '>=22.22'), 'fail', /older/],

    ['a root in use', rootCheck(config(), fine, used), 'ok', /marked as this mirror's/],
    [
      'a root that is not there',
      rootCheck(config(), withRoot({ look: { kind: 'bad', reason: 'cannot be read: ENOENT' } }), null),
      'fail',
      /ENOENT/,
    ],
    ['a lost manifest', rootCheck(config(), fine, null), 'fail', /belongs to mirror m1, whose manifest/],
    [
      'an unmounted root',
      rootCheck(config(), withRoot({ look: { kind: 'unmarked', device: '1' }, markedFor: null }), used),
      'fail',
      /no marker although/,
    ],
    [
      'a fresh root',
      rootCheck(config(), withRoot({ look: { kind: 'unmarked', device: '1' }, markedFor: null }), null),
      'ok',
      /not used yet/,
    ],
    [
      'a used root that is read-only',
      rootCheck(config(), withRoot({ writable: false }), used),
      'warn',
      /written/,
    ],
    [
      'a fresh root that is read-only',
      rootCheck(
        config(),
        withRoot({ look: { kind: 'unmarked', device: '1' }, markedFor: null, writable: false }),
        null,
      ),
      'fail',
      /not marked yet/,
    ],

    ['enough watches', watchCheck(config(), fine), 'ok', /7 of 8192 inotify watches/],
    ['too few watches', watchCheck(config(), withRoot({ directories: 9_000 })), 'warn', /9000.*8192.*poll/],
    [
      'a network file system',
      watchCheck(config(), withRoot({ remoteKind: 'nfs' })),
      'ok',
      /nfs.*polling every 5 s/,
    ],
    [
      'a network file system that is watched natively',
      watchCheck(watching({ mode: 'native' }), withRoot({ remoteKind: 'nfs' })),
      'warn',
      /reports no changes of others/,
    ],
    ['polling', watchCheck(watching({ mode: 'polling' }), fine), 'ok', /^polling every 5 s$/],
    ['rescans only', watchCheck(watching({ mode: 'off' }), fine), 'ok', /every 10 min/],
    [
      'nothing at all',
      watchCheck(watching({ mode: 'off', rescanSeconds: 0 }), fine),
      'warn',
      /nothing is noticed/,
    ],
    ['no inotify', watchCheck(config(), withRoot({ maxUserWatches: null })), 'ok', /^7 folders$/],

    ['a private state folder', stateCheck(config(), fine), 'ok', /^\/state-dir$/],
    ['none yet', stateCheck(config(), { ...fine, state: { kind: 'missing' } }), 'ok', /will be created/],
    [
      'a file in its place',
      stateCheck(config(), { ...fine, state: { kind: 'unusable', why: 'x' } }),
      'fail',
      /x$/,
    ],
    [
      'one that others may read',
      stateCheck(config(), {
        ...fine,
        state: { kind: 'there', writable: true, mode: 0o750, recordedAtMs: null },
      }),
      'warn',
      /open to other users/,
    ],
    [
      'one that cannot be written',
      stateCheck(config(), {
        ...fine,
        state: { kind: 'there', writable: false, mode: 0o700, recordedAtMs: null },
      }),
      'fail',
      /cannot be written/,
    ],

    ['a manifest', manifestCheck(used, fine, 1_060_000), 'ok', /^1 file, 1\.5 KB, recorded 60 s ago$/],
    ['no manifest', manifestCheck(null, fine, 1_060_000), 'ok', /^none yet$/],

    ['a clock that is right', clockCheck(1_000_000, 1_000_900), 'ok', /within 900 ms/],
    ['a clock that is fast', clockCheck(1_000_000, 1_300_000), 'warn', /5 min ahead of/],
    ['a clock that is slow', clockCheck(1_300_000, 1_000_000), 'warn', /5 min behind/],
    ['a server without a clock', clockCheck(null, 1), 'ok', /did not tell/],

    ['the limits', limitsCheck(config()), 'ok', /^990 uploads a minute$/],
    [
      'no limit',
      limitsCheck(config({ limits: { ...limits, uploadsPerMinute: null, storageBytes: 5_000 } })),
      'ok',
      /^uploads without a limit, 5\.0 KB of storage$/,
    ],
  ])('%s', (_, check, level, detail) => {
    expect(check.level).toBe(level);
    expect(check.detail).toMatch(detail);
    expect(check.next === null, 'what is wrong has a next step, what is well has none').toBe(level === 'ok');
  });
});
