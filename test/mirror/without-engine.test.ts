import { describe, expect, test } from 'vitest';
import { adopt, type AdoptParts } from '../../src/mirror/offline/adopt.ts';
import { clearGarbage } from '../../src/mirror/offline/clear-garbage.ts';
import { Fault } from '../../src/contract/faults.ts';
import type {
  ApiMemory,
  Clock,
  FilesApi,
  Inspection,
  LocalTree,
  Manifest,
} from '../../src/contract/ports.ts';
import { LetGo } from '../../src/mirror/judge/let-go.ts';
import { previewPlan } from '../../src/mirror/offline/preview.ts';
import type { MirrorSettings } from '../../src/contract/settings.ts';
import { NO_MEMORY } from '../../src/contract/types.ts';
import type {
  Change,
  Entry,
  FolderRules,
  Garbage,
  Intent,
  LocalLook,
  ManifestView,
  Memory,
  RemoteFile,
  RootLook,
} from '../../src/contract/types.ts';

const signal = new AbortController().signal;
const rules: FolderRules = {
  folder: 'batch',
  purpose: 'batch',
  expiresAfterSeconds: null,
  onExpiry: 'forget',
  renewBeforeSeconds: 1,
  check: 'full',
  priority: 0,
  deletes: 'mirror',
  maxBytes: 100,
};
const stat = '7 1 1 1 1';
const entry: Entry = {
  id: 'file-owned',
  purpose: 'batch',
  remoteName: 'owned',
  bytes: 7,
  sha256: 'aa',
  stat,
  uploadedAt: 1,
  createdAt: 1,
  expiresAt: null,
};
const intent: Intent = {
  purpose: 'batch',
  remoteName: 'unsure',
  bytes: 7,
  stat,
  startedAtMs: 1,
  serverStartedAtMs: null,
};
const garbage: Garbage = {
  path: 'batch/x',
  purpose: 'batch',
  bytes: 7,
  since: 1,
  reason: 'replaced',
  hold: false,
};

const absent: LocalLook = { kind: 'absent', onDevice: '1' };

/** A manifest in memory that notes what was committed. */
class FakeManifest implements Manifest {
  readonly mirrorId = 'm1';
  readonly files = new Map<string, Entry>();
  readonly intents = new Map<string, Intent>();
  readonly garbage = new Map<string, Garbage>();
  readonly rejected = new Map<string, never>();
  readonly commits: Change[] = [];
  memory = NO_MEMORY;

  async remember(memory: Memory): Promise<void> {
    this.memory = memory;
  }

  subscribe(): void {}

  async commit(change: Change): Promise<void> {
    this.commits.push(change);
    for (const [id, value] of Object.entries(change.garbage ?? {})) {
      if (value === null) this.garbage.delete(id);
    }
  }
}

/** A disk where every file has 7 bytes; looks and inspections may be told otherwise, by path. */
class FakeDisk {
  readonly paths: string[];
  root: RootLook = { kind: 'ok', device: '1' };
  readonly looks = new Map<string, LocalLook[]>();
  readonly inspections = new Map<string, Inspection | Fault>();
  readonly marked: string[] = [];

  constructor(...paths: string[]) {
    this.paths = paths;
  }

  get tree(): LocalTree {
    const accepted: Inspection = { sha256: 'bb', sizeBytes: 7, problem: null, warnings: [] };
    const tree: Partial<LocalTree> = {
      lookRoot: async () => this.root,
      markRoot: async (mirrorId) => void this.marked.push(mirrorId),
      scan: async function* (this: void) {
        yield paths.map((path) => ({ kind: 'file', path, stat }) as const);
      },
      look: async (path) => this.looks.get(path)?.shift() ?? { kind: 'file', stat, sizeBytes: 7 },
      needsFullRead: () => false,
      precheck: (path) => (path.endsWith('.no') ? { rule: 'extension', message: 'not accepted' } : null),
      inspect: async (path) => {
        const found = this.inspections.get(path) ?? accepted;
        if (found instanceof Fault) throw found;
        return found;
      },
    };
    const { paths } = this;
    return tree as LocalTree;
  }
}

function apiWith(
  files: readonly RemoteFile[],
  deletes: (id: string) => Promise<'deleted' | 'absent'>,
): FilesApi {
  const api: Partial<FilesApi> = {
    async *list() {
      yield files;
    },
    delete: deletes,
    retrieve: async (id) => files.find((file) => file.id === id) ?? null,
    serverNowMs: () => null,
  };
  return api as FilesApi;
}

const remoteFile = (id: string, filename: string): RemoteFile => ({
  id,
  filename,
  purpose: 'batch',
  bytes: 7,
  createdAt: 10,
  expiresAt: 20,
});

/** Time passes only by sleeping. */
function sleepingClock(): Clock & { readonly slept: number[] } {
  let nowMs = 1_000_000;
  const slept: number[] = [];
  return {
    slept,
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: async (ms) => {
      slept.push(ms);
      nowMs += ms;
    },
  };
}

/** Nothing has changed. */
const apiMemory: ApiMemory = {
  changes: () => [],
  confirm: async () => {},
  isAskedOtherwise: () => false,
  noteAsked: async () => {},
};

const noDeletes = async (): Promise<never> => {
  throw new Error('adopting deletes nothing');
};

function adoptParts(disk: FakeDisk, files: readonly RemoteFile[], view: ManifestView = new FakeManifest()) {
  const manifest = new FakeManifest();
  const clock = sleepingClock();
  const opened = { count: 0 };
  const parts: AdoptParts = {
    local: disk.tree,
    api: apiWith(files, noDeletes),
    view,
    changes: [],
    openManifest: async () => {
      opened.count += 1;
      return manifest;
    },
    clock,
    folders: new Map([['batch', rules]]),
  };
  return { parts, manifest, clock, opened };
}

describe('adopting', () => {
  test('records an entry as an upload would have left it', async () => {
    const { parts, manifest } = adoptParts(new FakeDisk('batch/a'), [remoteFile('file-a', 'a')]);
    const report = await adopt(parts, signal);
    expect(report.adopted).toEqual([{ path: 'batch/a', id: 'file-a', purpose: 'batch', bytes: 7 }]);
    expect(manifest.commits).toEqual([
      {
        files: {
          'batch/a': {
            id: 'file-a',
            purpose: 'batch',
            remoteName: 'a',
            bytes: 7,
            sha256: 'bb',
            stat,
            uploadedAt: 1000,
            createdAt: 10,
            expiresAt: 20,
          },
        },
        intents: {},
        garbage: {},
        rejected: {},
      },
    ]);
  });

  test('what is owned, or may be an upload of unknown outcome, is not up for adoption', async () => {
    const view = new FakeManifest();
    view.files.set('batch/owned', entry);
    view.garbage.set('file-garbage', garbage);
    view.intents.set('batch/unsure', intent);
    const disk = new FakeDisk(
      'batch/owned',
      'batch/sub/owned',
      'batch/garbage',
      'batch/unsure',
      'batch/sub/unsure',
    );
    const remotes = [
      remoteFile('file-owned', 'owned'),
      remoteFile('file-garbage', 'garbage'),
      remoteFile('file-unsure', 'unsure'),
    ];
    const { parts } = adoptParts(disk, remotes, view);
    const report = await adopt(parts, signal);
    expect(report.adopted).toEqual([]);
    expect(report.ambiguous).toEqual([]);
    expect(report.unmatched).toEqual(['batch/sub/owned', 'batch/garbage', 'batch/sub/unsure']);
  });

  test('a path with an upload of unknown outcome is left to the next sync, whatever its file is by now', async () => {
    const view = new FakeManifest();
    view.intents.set('batch/unsure', { ...intent, bytes: 6, stat: '6 1 1 1 1' });
    const { parts, manifest } = adoptParts(
      new FakeDisk('batch/unsure'),
      [remoteFile('file-new', 'unsure')],
      view,
    );
    const report = await adopt(parts, signal);
    expect(manifest.commits).toEqual([]);
    expect(report).toMatchObject({
      adopted: [],
      unmatched: [],
      left: [
        {
          path: 'batch/unsure',
          reason: 'an earlier upload of it may have arrived; the next sync finds out',
        },
      ],
    });
  });

  test('waits for files that settle in time, and leaves the others, and refused and moved ones, with a reason', async () => {
    const disk = new FakeDisk(
      'batch/slow',
      'batch/busy',
      'batch/bad',
      'batch/moved',
      'batch/a.no',
      'batch/locked',
    );
    const changing: LocalLook = { kind: 'changing', waitMs: 3_000, why: 'written 0.1 s ago', stat };
    disk.looks.set('batch/slow', [changing]);
    disk.looks.set(
      'batch/busy',
      Array.from({ length: 99 }, () => changing),
    );
    disk.looks.set('batch/locked', [{ kind: 'skipped', reason: 'unreadable', detail: 'EACCES' }]);
    disk.inspections.set('batch/bad', {
      sha256: 'cc',
      sizeBytes: 7,
      problem: { rule: 'batch-line', message: 'line 1' },
      warnings: [],
    });
    const moved = new Fault('it changed', { disposition: 'retry', outcome: 'refused', rule: 'moved' });
    disk.inspections.set('batch/moved', moved);
    const remotes = disk.paths.map((path) => remoteFile(`file-${path}`, path.slice('batch/'.length)));
    const { parts, clock } = adoptParts(disk, remotes);
    const report = await adopt(parts, signal);
    expect(report.adopted.map(({ path }) => path)).toEqual(['batch/slow']);
    expect(Object.fromEntries(report.left.map(({ path, reason }) => [path, reason]))).toEqual({
      'batch/busy': 'still changing: written 0.1 s ago',
      'batch/bad': 'line 1',
      'batch/moved': 'it changed',
      'batch/a.no': 'not accepted',
      'batch/locked': 'unreadable: EACCES',
    });
    expect(clock.slept.reduce((sum, ms) => sum + ms, 0)).toBe(10_000);
  });

  test('a dry run reads no content and opens nothing', async () => {
    const disk = new FakeDisk('batch/a');
    disk.root = { kind: 'unmarked', device: '1' };
    disk.inspections.set(
      'batch/a',
      new Fault('read', { disposition: 'skip', outcome: 'refused', rule: 'io' }),
    );
    const { parts } = adoptParts(disk, [remoteFile('file-a', 'a')]);
    const report = await adopt({ ...parts, openManifest: null }, signal);
    expect(report).toMatchObject({ dryRun: true, adopted: [{ id: 'file-a' }], left: [] });
    expect(disk.marked).toEqual([]);
  });

  test('an unmarked root is marked before the first entry, if nothing is remembered', async () => {
    const disk = new FakeDisk('batch/a');
    disk.root = { kind: 'unmarked', device: '1' };
    const { parts, manifest } = adoptParts(disk, [remoteFile('file-a', 'a')]);
    await adopt(parts, signal);
    expect(disk.marked).toEqual(['m1']);
    expect(manifest.commits).toHaveLength(1);
  });

  test.each<[string, RootLook]>([
    ['an unmarked root, though files are remembered', { kind: 'unmarked', device: '1' }],
    ['another mirror’s root', { kind: 'bad', reason: 'it belongs to another mirror' }],
  ])('%s: nothing is opened', async (_, root) => {
    const disk = new FakeDisk('batch/a');
    disk.root = root;
    const view = new FakeManifest();
    view.files.set('batch/owned', entry);
    const { parts, opened } = adoptParts(disk, [], view);
    await expect(adopt(parts, signal)).rejects.toMatchObject({ halt: 'root' });
    expect(opened.count).toBe(0);
  });

  test('no manifest is made when the API cannot be asked', async () => {
    const { parts, opened } = adoptParts(new FakeDisk('batch/a'), []);
    const down = new Fault('no reply', { disposition: 'retry', outcome: 'refused', rule: 'network' });
    const api = {
      ...parts.api,
      // oxlint-disable-next-line require-yield
      async *list(): AsyncGenerator<never> {
        throw down;
      },
    };
    await expect(adopt({ ...parts, api }, signal)).rejects.toBe(down);
    expect(opened.count).toBe(0);
  });
});

describe('clearing the garbage list', () => {
  function withGarbage(...ids: string[]): FakeManifest {
    const manifest = new FakeManifest();
    manifest.files.set('batch/owned', entry);
    for (const id of ids) manifest.garbage.set(id, { ...garbage, hold: id.includes('held') });
    return manifest;
  }

  const fault = (disposition: 'retry' | 'halt', retryAfterMs?: number) =>
    new Fault(`${disposition}!`, {
      disposition,
      outcome: 'refused',
      rule: 'x',
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });

  test('deletes those ids, kept aside or not, and records each', async () => {
    const manifest = withGarbage('file-1', 'file-held', 'file-gone');
    const deleted: string[] = [];
    const api = apiWith([], async (id) => {
      deleted.push(id);
      return id === 'file-gone' ? 'absent' : 'deleted';
    });
    const parts = { local: new FakeDisk().tree, api, manifest, apiMemory, clock: sleepingClock() };
    expect(await clearGarbage(parts, signal)).toBe(3);
    expect(deleted).toEqual(['file-1', 'file-held', 'file-gone']);
    expect(manifest.garbage.size).toBe(0);
    expect(manifest.files.size).toBe(1);
  });

  test('never deletes what an entry has', async () => {
    const manifest = withGarbage('file-1', entry.id);
    const deleted: string[] = [];
    const api = apiWith([], async (id) => {
      deleted.push(id);
      return 'deleted';
    });
    const parts = { local: new FakeDisk().tree, api, manifest, apiMemory, clock: sleepingClock() };
    await clearGarbage(parts, signal);
    expect(deleted).toEqual(['file-1']);
    expect(manifest.garbage.size).toBe(0);
    expect(manifest.files.size).toBe(1);
  });

  test('tries again what failed, after as long as the server says', async () => {
    const manifest = withGarbage('file-1', 'file-2');
    let left = 2;
    const api = apiWith([], async (id) => {
      if (id === 'file-1' && left-- > 0) throw fault('retry', left === 0 ? 7_000 : undefined);
      return 'deleted';
    });
    const clock = sleepingClock();
    expect(await clearGarbage({ local: new FakeDisk().tree, api, manifest, apiMemory, clock }, signal)).toBe(
      2,
    );
    expect(clock.slept).toEqual([1_000, 7_000]);
  });

  test('gives up with the last word of the API; what is not gone stays on the list', async () => {
    const manifest = withGarbage('file-1', 'file-2');
    const api = apiWith([], async (id) => {
      if (id === 'file-1') throw fault('retry');
      return 'deleted';
    });
    const parts = { local: new FakeDisk().tree, api, manifest, apiMemory, clock: sleepingClock() };
    await expect(clearGarbage(parts, signal)).rejects.toMatchObject({ message: 'retry!' });
    expect([...manifest.garbage.keys()]).toEqual(['file-1']);
  });

  /** What the API of another project says. */
  const unknownThere = () => apiWith([], async () => 'absent' as const);

  test('with another key that does not know the recorded ids, nothing is asked to be deleted, and none is forgotten', async () => {
    const manifest = withGarbage('file-1', 'file-2');
    const changed = { ...apiMemory, changes: () => ['the key'] };
    const parts = {
      local: new FakeDisk().tree,
      api: apiWith([], noDeletes),
      manifest,
      apiMemory: changed,
      clock: sleepingClock(),
    };
    await expect(clearGarbage(parts, signal)).rejects.toMatchObject({ halt: 'scope' });
    expect([...manifest.garbage.keys()]).toEqual(['file-1', 'file-2']);
  });

  test('ids that are unknown, as all others are, are not forgotten either when nothing changed here', async () => {
    const manifest = withGarbage('file-1');
    for (const name of ['b', 'c', 'd']) manifest.files.set(`batch/${name}`, { ...entry, id: `file-${name}` });
    const parts = {
      local: new FakeDisk().tree,
      api: unknownThere(),
      manifest,
      apiMemory,
      clock: sleepingClock(),
    };
    await expect(clearGarbage(parts, signal)).rejects.toMatchObject({ halt: 'scope' });
    expect([...manifest.garbage.keys()]).toEqual(['file-1']);
  });

  test('stops at once where going on is no use', async () => {
    const manifest = withGarbage('file-1', 'file-2');
    let asked = 0;
    const api = apiWith([], async () => {
      asked += 1;
      throw fault('halt');
    });
    const parts = { local: new FakeDisk().tree, api, manifest, apiMemory, clock: sleepingClock() };
    await expect(clearGarbage(parts, signal)).rejects.toMatchObject({ message: 'halt!' });
    expect(asked).toBe(1);
  });

  test('deletes nothing while the root is not this mirror’s', async () => {
    const disk = new FakeDisk();
    disk.root = { kind: 'unmarked', device: '1' };
    const parts = {
      local: disk.tree,
      api: apiWith([], noDeletes),
      manifest: withGarbage('file-1'),
      apiMemory,
      clock: sleepingClock(),
    };
    await expect(clearGarbage(parts, signal)).rejects.toMatchObject({ halt: 'root' });
  });
});

test('a file that was renamed while an upload of it may have arrived is planned as what will be done: no move', async () => {
  const disk = new FakeDisk('batch/new/owned');
  const view = new FakeManifest();
  const actions = async () => {
    disk.looks.set('batch/owned', [absent, absent]);
    const settings = { root: '/r', folders: new Map([['batch', rules]]), maxFraction: 1, minCount: 10 };
    const parts = {
      local: disk.tree,
      view,
      settings: settings as unknown as MirrorSettings,
      letGo: new LetGo(sleepingClock(), {}),
      nowSeconds: 100,
    };
    return (await previewPlan(parts, signal)).map(({ op, path, reason }) => `${op} ${path}: ${reason}`);
  };
  view.files.set('batch/owned', { ...entry, sha256: 'bb' });
  expect(await actions()).toEqual(['> batch/new/owned: moved from batch/owned; the id stays']);
  view.intents.set('batch/owned', { ...intent, remoteName: 'owned' });
  expect(await actions()).toEqual(['> batch/new/owned: moved from batch/owned; the id stays']);
});
