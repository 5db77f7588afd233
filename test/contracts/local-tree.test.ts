import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { OpenVersion } from '../../src/contract/ports.ts';
import type { MirrorPath, ScanItem } from '../../src/contract/types.ts';
import {
  batch,
  otherId,
  realBench,
  settleMs,
  simulatedBench,
  type LocalBench,
  type RootAway,
} from './local-benches.ts';

const mirrorId = '0b0c4a53-0f7e-4a0e-9d53-2f4f6a3f3a11';
const never = new AbortController().signal;
const moved = { name: 'Fault', rule: 'moved', disposition: 'retry', outcome: 'refused' };
const awayRoots: readonly RootAway[] = ['missing', 'unmounted', 'swapped', 'emptied'];

/** A batch file that every rule accepts, of about this size. */
function requests(sizeBytes: number): Uint8Array {
  const lines: string[] = [];
  for (let bytes = 0; bytes < sizeBytes; bytes += (lines.at(-1) ?? '').length) {
    const body = { model: 'gpt-4.1', messages: [{ role: 'user', content: 'Hello' }] };
    const line = {
      custom_id: `r-${lines.length}`,
      method: 'POST',
      url: '/v1/chat/completions',
      body,
    };
    lines.push(`${JSON.stringify(line)}\n`);
  }
  return Buffer.from(lines.join(''));
}

const content = requests(300);
/** Refused by the rules for its content. */
const refused = Buffer.from('\u0001 is no request\n');

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function localTreeContract(open: () => LocalBench): void {
  /** With a marked root, known to the tree. */
  async function marked(): Promise<LocalBench> {
    const bench = open();
    bench.mkdir('batch');
    await bench.end(bench.tree.markRoot(mirrorId));
    await bench.end(bench.tree.lookRoot(mirrorId));
    return bench;
  }

  const look = (bench: LocalBench, path: MirrorPath) => bench.end(bench.tree.look(path));

  /** The token of a settled file. */
  async function settledStat(bench: LocalBench, path: MirrorPath): Promise<string> {
    // On a busy machine a timer may be early by another clock.
    for (let waitMs = settleMs + 100; ;) {
      await bench.pass(waitMs);
      const found = await look(bench, path);
      if (found.kind === 'file') return found.stat;
      if (found.kind !== 'changing') throw new Error(`${path} is ${found.kind}`);
      ({ waitMs } = found);
    }
  }

  describe('the root', () => {
    test('is unmarked until it is marked, and then that mirror’s alone', async () => {
      const bench = open();
      bench.mkdir('batch');
      expect(await bench.end(bench.tree.lookRoot(mirrorId))).toMatchObject({ kind: 'unmarked' });
      await bench.end(bench.tree.markRoot(mirrorId));
      await bench.end(bench.tree.markRoot(mirrorId));
      expect(await bench.end(bench.tree.lookRoot(mirrorId))).toMatchObject({ kind: 'ok' });
      expect(await bench.end(bench.tree.lookRoot(otherId))).toMatchObject({ kind: 'bad' });
      const refusal = bench.tree.markRoot(otherId).catch((error: unknown) => error);
      expect(await bench.end(refusal)).toMatchObject({ name: 'Fault', disposition: 'halt', halt: 'root' });
      expect(await bench.end(bench.tree.lookRoot(mirrorId))).toMatchObject({ kind: 'ok' });
    });

    test.each(awayRoots)('that is %s is not the right one, until it is back', async (how) => {
      const bench = await marked();
      bench.takeRoot(how);
      const kind = how === 'unmounted' || how === 'emptied' ? 'unmarked' : 'bad';
      expect(await bench.end(bench.tree.lookRoot(mirrorId))).toMatchObject({ kind });
      bench.bringRootBack(false);
      expect(await bench.end(bench.tree.lookRoot(mirrorId))).toMatchObject({ kind: 'ok' });
    });

    test('that is gone takes no marker and no folder', async () => {
      const bench = await marked();
      bench.takeRoot('missing');
      const mark = bench.tree.markRoot(mirrorId).catch((error: unknown) => error);
      expect(await bench.end(mark)).toMatchObject({ name: 'Fault', disposition: 'halt', halt: 'root' });
      const create = bench.tree.createFolder('vision').catch((error: unknown) => error);
      expect(await bench.end(create)).toMatchObject({ disposition: 'retry', outcome: 'refused' });
      bench.bringRootBack(false);
      expect(await bench.end(bench.tree.lookRoot(mirrorId))).toMatchObject({ kind: 'ok' });
      expect(await bench.end(bench.tree.lookFolder('vision'))).toEqual({ kind: 'gone' });
    });

    test('on another device is bad once, and then the right one there', async () => {
      const bench = await marked();
      const before = await bench.end(bench.tree.lookRoot(mirrorId));
      bench.takeRoot('missing');
      bench.bringRootBack(true);
      expect(await bench.end(bench.tree.lookRoot(mirrorId))).toMatchObject({ kind: 'bad' });
      const after = await bench.end(bench.tree.lookRoot(mirrorId));
      expect(after).toMatchObject({ kind: 'ok' });
      expect(after).not.toEqual(before);
    });

    test('on another device makes the first absence unknown, if nobody asked for the root before', async () => {
      const bench = await marked();
      bench.takeRoot('missing');
      bench.bringRootBack(true);
      expect(await look(bench, 'batch/a.jsonl')).toMatchObject({ kind: 'unknown' });
      const root = await bench.end(bench.tree.lookRoot(mirrorId));
      const onDevice = root.kind === 'ok' ? root.device : 'none';
      expect(await look(bench, 'batch/a.jsonl')).toEqual({ kind: 'absent', onDevice });
    });
  });

  describe('a purpose folder', () => {
    test('is ok on its device, gone below the right root alone, and created once', async () => {
      const bench = await marked();
      const root = await bench.end(bench.tree.lookRoot(mirrorId));
      const device = root.kind === 'ok' ? root.device : 'none';
      expect(await bench.end(bench.tree.lookFolder('batch'))).toEqual({ kind: 'ok', device });
      expect(await bench.end(bench.tree.lookFolder('fine-tune'))).toEqual({ kind: 'gone' });
      await bench.end(bench.tree.createFolder('fine-tune'));
      await bench.end(bench.tree.createFolder('fine-tune'));
      expect(await bench.end(bench.tree.lookFolder('fine-tune'))).toEqual({ kind: 'ok', device });
      for (const how of ['missing', 'swapped'] as const) {
        bench.takeRoot(how);
        expect(await bench.end(bench.tree.lookFolder('vision'))).toMatchObject({ kind: 'unknown' });
        bench.bringRootBack(false);
      }
    });

    test('that cannot be listed, is a link or a file, is unknown', async () => {
      const bench = await marked();
      bench.setListable('batch', false);
      expect(await bench.end(bench.tree.lookFolder('batch'))).toMatchObject({ kind: 'unknown' });
      bench.setListable('batch', true);
      bench.remove('batch');
      bench.symlink('batch');
      bench.rename('batch', 'vision');
      bench.write('batch/a.jsonl', content);
      bench.rename('batch/a.jsonl', 'fine-tune');
      for (const folder of ['vision', 'fine-tune'])
        expect(await bench.end(bench.tree.lookFolder(folder))).toMatchObject({ kind: 'unknown' });
    });
  });

  describe('a look', () => {
    test('says absent of what is not there, whatever is missing above it, or a file, or a directory in its place', async () => {
      const bench = await marked();
      const root = await bench.end(bench.tree.lookRoot(mirrorId));
      const absent = { kind: 'absent', onDevice: root.kind === 'ok' ? root.device : 'none' };
      bench.write('batch/file', content);
      bench.mkdir('batch/directory');
      for (const path of ['batch/a', 'batch/x/y/a', 'fine-tune/a', 'batch/file/a', 'batch/directory'])
        expect(await look(bench, path)).toEqual(absent);
    });

    test.each(awayRoots)('says unknown of what is missing below a root that is %s', async (how) => {
      const bench = await marked();
      bench.write('batch/mine.jsonl', content);
      bench.takeRoot(how);
      for (const path of ['batch/mine.jsonl', 'batch/b.jsonl', 'fine-tune/c'])
        expect(await look(bench, path)).toMatchObject({ kind: 'unknown' });
      expect(await bench.end(bench.tree.statOf('batch/mine.jsonl'))).toBeNull();
      bench.bringRootBack(false);
      expect(await look(bench, 'batch/b.jsonl')).toMatchObject({ kind: 'absent' });
    });

    test('says unknown of absence before the root was ever asked for', async () => {
      const bench = open();
      bench.mkdir('batch');
      expect(await look(bench, 'batch/a.jsonl')).toMatchObject({ kind: 'unknown' });
    });

    test('says unknown of what lies where nobody may look, there or not', async () => {
      const bench = await marked();
      bench.write('batch/closed/a.jsonl', content);
      bench.setListable('batch/closed', false);
      for (const path of ['batch/closed/a.jsonl', 'batch/closed/b.jsonl', 'batch/closed/x/y'])
        expect(await look(bench, path)).toMatchObject({ kind: 'unknown' });
      expect(await bench.end(bench.tree.statOf('batch/closed/a.jsonl'))).toBeNull();
      bench.setListable('batch/closed', true);
      expect(await bench.end(bench.tree.statOf('batch/closed/a.jsonl'))).not.toBeNull();
    });

    test('never takes what is skipped or ignored for absent', async () => {
      const bench = await marked();
      bench.write('batch/unreadable.jsonl', content);
      bench.setReadable('batch/unreadable.jsonl', false);
      bench.symlink('batch/link.jsonl');
      bench.symlink('batch/linked');
      bench.write('batch/.hidden', content);
      bench.write('batch/half.tmp', content);
      bench.write('vision/a.jsonl', content);
      const kinds: Record<MirrorPath, object> = {
        'batch/unreadable.jsonl': { kind: 'skipped', reason: 'unreadable' },
        'batch/link.jsonl': { kind: 'skipped', reason: 'symlink' },
        'batch/linked/below.jsonl': { kind: 'skipped', reason: 'symlink' },
        'batch/.hidden': { kind: 'ignored' },
        'batch/half.tmp': { kind: 'ignored' },
        'vision/a.jsonl': { kind: 'ignored' },
      };
      for (const [path, kind] of Object.entries(kinds)) expect(await look(bench, path)).toMatchObject(kind);
    });

    test('finds a file as it is, in a wrong root too: who sends it asks for the root himself', async () => {
      const bench = await marked();
      bench.takeRoot('swapped');
      const stat = await settledStat(bench, 'batch/a.jsonl');
      expect(await bench.end(bench.tree.statOf('batch/a.jsonl'))).toBe(stat);
      expect(await bench.end(bench.tree.lookFolder('batch'))).toMatchObject({ kind: 'ok' });
    });
  });

  describe('a file settles', () => {
    test('when it has rested, and the time to the next look is told', async () => {
      const bench = await marked();
      bench.write('batch/a.jsonl', content);
      const first = await look(bench, 'batch/a.jsonl');
      if (first.kind !== 'changing') throw new Error(first.kind);
      expect(first.waitMs).toBeGreaterThan(0);
      expect(first.waitMs).toBeLessThanOrEqual(settleMs);
      await bench.pass(first.waitMs);
      const sizeBytes = content.length;
      expect(await look(bench, 'batch/a.jsonl')).toEqual({ kind: 'file', stat: first.stat, sizeBytes });
    });

    test('anew after every change', async () => {
      const bench = await marked();
      bench.write('batch/a.jsonl', content);
      for (let turn = 1; turn <= 5; turn += 1) {
        expect(await look(bench, 'batch/a.jsonl')).toMatchObject({ kind: 'changing' });
        await bench.pass(settleMs - 700);
        bench.write('batch/a.jsonl', requests(300 * turn));
      }
      const settling = await look(bench, 'batch/a.jsonl');
      expect(settling).toMatchObject({ kind: 'changing' });
      await bench.pass(settleMs);
      expect(await look(bench, 'batch/a.jsonl')).toMatchObject({
        kind: 'file',
        sizeBytes: requests(1500).length,
      });
    });

    test('at once when it is moved in with an old time', async () => {
      const bench = await marked();
      bench.write('batch/a.jsonl', content);
      bench.touch('batch/a.jsonl', bench.wallMs() - 3_600_000);
      expect(await look(bench, 'batch/a.jsonl')).toMatchObject({ kind: 'file' });
    });

    test('when it was seen unchanged for long enough, where its time lies in the future', async () => {
      const bench = await marked();
      bench.write('batch/a.jsonl', content);
      bench.touch('batch/a.jsonl', bench.wallMs() + 86_400_000);
      const first = await look(bench, 'batch/a.jsonl');
      expect(first).toMatchObject({ kind: 'changing' });
      await bench.pass(first.kind === 'changing' ? first.waitMs : 0);
      expect(await look(bench, 'batch/a.jsonl')).toMatchObject({ kind: 'file' });
    });

    test('not as long as somebody is seen to hold it open for writing', async () => {
      const bench = await marked();
      bench.write('batch/a.jsonl', content);
      const letGo = bench.holdOpen('batch/a.jsonl');
      for (let turn = 0; turn < 3; turn += 1) {
        const held = await look(bench, 'batch/a.jsonl');
        if (held.kind !== 'changing') throw new Error(held.kind);
        expect(held.waitMs).toBeGreaterThan(0);
        await bench.pass(Math.max(settleMs, held.waitMs));
      }
      letGo();
      expect(await look(bench, 'batch/a.jsonl')).toMatchObject({ kind: 'file' });
    });
  });

  describe('a scan', () => {
    async function scan(bench: LocalBench, under: MirrorPath | null): Promise<readonly ScanItem[]> {
      const collect = async (): Promise<ScanItem[]> => {
        const all: ScanItem[] = [];
        for await (const items of bench.tree.scan(under, never)) all.push(...items);
        return all;
      };
      return (await bench.end(collect())).toSorted((a, b) => (a.path < b.path ? -1 : 1));
    }

    test('finds every file of the configured folders once, with its raw token, or one tree alone', async () => {
      const bench = await marked();
      const paths = Array.from({ length: 300 }, (_, index) => `batch/${index % 7}/${index % 3}/${index}`);
      for (const path of paths) bench.write(path, content);
      bench.write('fine-tune/b.jsonl', content);
      const found = await scan(bench, null);
      expect(found.map(({ path }) => path)).toEqual([...paths, 'fine-tune/b.jsonl'].toSorted());
      for (const item of found) {
        const stat = await bench.end(bench.tree.statOf(item.path));
        expect(item).toEqual({ kind: 'file', path: item.path, stat });
      }
      const below = paths.filter((path) => path.startsWith('batch/3/'));
      expect((await scan(bench, 'batch/3')).map(({ path }) => path)).toEqual(below.toSorted());
      expect(await scan(bench, 'fine-tune/b.jsonl')).toMatchObject([{ path: 'fine-tune/b.jsonl' }]);
      expect(await scan(bench, 'batch/absent')).toEqual([]);
      expect(await scan(bench, 'batch/absent/deeper')).toEqual([]);
    });

    test('names what it does not mirror, and does not go into it', async () => {
      const bench = await marked();
      bench.write('batch/.git/config', content);
      bench.write('batch/half.tmp', content);
      bench.write('batch/unreadable.jsonl', content);
      bench.symlink('batch/link');
      bench.write('vision/a.jsonl', content);
      bench.write('batch/stray', content);
      bench.rename('batch/stray', 'stray.jsonl');
      expect(await scan(bench, null)).toMatchObject([
        { kind: 'ignored', path: 'batch/.git' },
        { kind: 'ignored', path: 'batch/half.tmp' },
        { kind: 'skipped', path: 'batch/link', reason: 'symlink' },
        { kind: 'file', path: 'batch/unreadable.jsonl' },
        { kind: 'outside', path: 'stray.jsonl' },
        { kind: 'outside', path: 'vision' },
      ]);
      expect(await scan(bench, 'batch/link/below')).toMatchObject([{ kind: 'skipped', path: 'batch/link' }]);
      expect(await scan(bench, 'batch/.git/config')).toMatchObject([{ kind: 'ignored' }]);
      expect(await scan(bench, 'vision')).toMatchObject([{ kind: 'outside', path: 'vision' }]);
      expect(await scan(bench, 'vision/a.jsonl')).toMatchObject([{ kind: 'outside', path: 'vision' }]);
    });

    test('names a directory that it cannot list, and finds the rest', async () => {
      const bench = await marked();
      bench.write('batch/closed/a.jsonl', content);
      bench.write('batch/open/b.jsonl', content);
      bench.setListable('batch/closed', false);
      expect(await scan(bench, null)).toMatchObject([
        { kind: 'unlistable', path: 'batch/closed' },
        { kind: 'file', path: 'batch/open/b.jsonl' },
      ]);
      const [item] = await scan(bench, 'batch/closed/deeper');
      expect(item?.kind).toBe('unlistable');
    });

    test('of a root that is gone names every folder as one that cannot be listed, and of one tree there says nothing', async () => {
      const bench = await marked();
      bench.write('batch/a.jsonl', content);
      bench.takeRoot('missing');
      expect(await scan(bench, null)).toMatchObject([
        { kind: 'unlistable', path: 'batch' },
        { kind: 'unlistable', path: 'fine-tune' },
      ]);
      expect(await scan(bench, 'batch')).toEqual([]);
    });

    test('throws the reason of its signal alone, at the latest with the next batch', async () => {
      const bench = await marked();
      for (let index = 0; index < 50; index += 1) bench.write(`batch/${index}/a`, content);
      const stop = new AbortController();
      const reason = new Error('stopping');
      const drain = async (signal: AbortSignal): Promise<unknown> => {
        const scanned = bench.tree.scan(null, signal)[Symbol.asyncIterator]();
        try {
          while ((await scanned.next()).done !== true) stop.abort(reason);
          return 'ended';
        } catch (error) {
          return error;
        }
      };
      expect(await bench.end(drain(AbortSignal.abort(reason)))).toBe(reason);
      expect([reason, 'ended']).toContain(await bench.end(drain(stop.signal)));
    });
  });

  describe.each([0, 1, 2_000, 60_000, 300_000])('a version of about %i bytes', (sizeBytes) => {
    const bytes = sizeBytes < 2 ? new Uint8Array(sizeBytes) : requests(sizeBytes);
    const path = 'batch/a.jsonl';

    async function opened(): Promise<{ bench: LocalBench; version: OpenVersion; stat: string }> {
      const bench = await marked();
      bench.write(path, bytes);
      const stat = await settledStat(bench, path);
      return { bench, version: await bench.end(bench.tree.open(path, stat)), stat };
    }

    async function read(version: OpenVersion, onChunk: () => void = () => {}): Promise<Uint8Array> {
      const parts: Uint8Array[] = [];
      for await (const chunk of version.chunks()) {
        parts.push(Buffer.from(chunk));
        onChunk();
      }
      return Buffer.concat(parts);
    }

    test('gives its bytes once, and then their hash', async () => {
      const { bench, version, stat } = await opened();
      expect([version.stat, version.sizeBytes]).toEqual([stat, bytes.length]);
      expect(() => version.sha256()).toThrow(TypeError);
      expect(Buffer.compare(await bench.end(read(version)), bytes)).toBe(0);
      expect(version.sha256()).toBe(sha256Of(bytes));
      await expect(bench.end(read(version))).rejects.toThrow(TypeError);
      await bench.end(version.close());
    });

    test('is inspected to the same hash, and told by what it holds', async () => {
      const { bench, version, stat } = await opened();
      await bench.end(version.close());
      const { sha256, sizeBytes: size } = await bench.end(bench.tree.inspect(path, stat, batch, never));
      expect([sha256, size]).toEqual([sha256Of(bytes), bytes.length]);
    });

    const changes: Record<string, (bench: LocalBench) => void> = {
      written: (bench) => bench.write(path, Buffer.concat([bytes, content])),
      cut: (bench) => bench.write(path, new Uint8Array(0)),
      'renamed away': (bench) => bench.rename(path, 'batch/b.jsonl'),
      removed: (bench) => bench.remove(path),
      'replaced by its like': (bench) => {
        bench.write('batch/new.jsonl', bytes);
        bench.rename('batch/new.jsonl', path);
      },
      touched: (bench) => bench.touch(path, bench.wallMs() - 86_400_000),
      'replaced by a link': (bench) => {
        bench.remove(path);
        bench.symlink(path);
      },
      'replaced by a directory': (bench) => {
        bench.remove(path);
        bench.mkdir(path);
      },
    };

    test.each(Object.keys(changes))('that was %s meanwhile has moved: no byte sequence ends', async (how) => {
      const change = changes[how] ?? (() => {});
      const { bench, version, stat } = await opened();
      let isChanged = false;
      const changeOnce = (): void => {
        if (!isChanged) change(bench);
        isChanged = true;
      };
      if (bytes.length === 0) changeOnce();
      const reading = read(version, changeOnce).catch((error: unknown) => error);
      expect(await bench.end(reading)).toMatchObject(moved);
      expect(() => version.sha256()).toThrow(TypeError);
      await bench.end(version.close());
      const again = bench.tree.open(path, stat).catch((error: unknown) => error);
      expect(await bench.end(again)).toMatchObject(moved);
      const inspection = bench.tree.inspect(path, stat, batch, never).catch((error: unknown) => error);
      expect(await bench.end(inspection)).toMatchObject(moved);
    });
  });

  describe('the rules', () => {
    const problemOf = async (bytes: Uint8Array, rules = batch) => {
      const bench = await marked();
      bench.write('batch/a.jsonl', bytes);
      const stat = await settledStat(bench, 'batch/a.jsonl');
      const { problem } = await bench.end(bench.tree.inspect('batch/a.jsonl', stat, rules, never));
      return { problem, precheck: bench.tree.precheck('batch/a.jsonl', bytes.length, rules) };
    };

    test('are those of the folder: what the size says needs no reading, and an inspection says the same', async () => {
      expect(await problemOf(content)).toEqual({ problem: null, precheck: null });
      const empty = await problemOf(new Uint8Array(0));
      expect(empty.precheck).toMatchObject({ rule: 'empty' });
      expect(empty.problem).toEqual(empty.precheck);
      const large = await problemOf(content, { ...batch, maxBytes: content.length - 1 });
      expect(large.precheck).toMatchObject({ rule: 'too-large' });
      expect(large.problem).toEqual(large.precheck);
    });

    test('that go by the content want it read, and only where they are checked', async () => {
      const { problem, precheck } = await problemOf(refused);
      expect([problem?.rule, precheck]).toEqual(['batch-line', null]);
      const off = { ...batch, check: 'off' } as const;
      expect(await problemOf(refused, off)).toMatchObject({ problem: null });
      const { tree } = open();
      expect([tree.needsFullRead(batch), tree.needsFullRead(off)]).toEqual([true, false]);
    });

    test('are not asked when the signal has aborted', async () => {
      const bench = await marked();
      bench.write('batch/a.jsonl', content);
      const stat = await settledStat(bench, 'batch/a.jsonl');
      const reason = new Error('stopping');
      const inspection = bench.tree.inspect('batch/a.jsonl', stat, batch, AbortSignal.abort(reason));
      await expect(bench.end(inspection)).rejects.toBe(reason);
    });
  });
}

describe('a folder on disk', () => {
  localTreeContract(realBench);
});

describe('a folder of the simulation', () => {
  localTreeContract(simulatedBench);
});
