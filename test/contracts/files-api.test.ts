import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { FaultDetails } from '../../src/contract/faults.ts';
import type { ListRequest, UploadRequest } from '../../src/contract/ports.ts';
import type { RemoteFile } from '../../src/contract/types.ts';
import { emulatorBench, simulatedBench, type ApiBench, type Trouble } from './api-benches.ts';

const never = new AbortController().signal;
const content = Buffer.from('{"a":1}\n'.repeat(500));

function uploadOf(changes: Partial<UploadRequest> = {}): UploadRequest {
  return {
    purpose: 'user_data',
    remoteName: 'a.jsonl',
    sizeBytes: content.length,
    expiresAfterSeconds: null,
    async *body() {
      for (let at = 0; at < content.length; at += 1_000)
        yield new Uint8Array(content.subarray(at, at + 1_000));
    },
    ...changes,
  };
}

/** A body whose end is not to be had before its sender has given up: what breaks it off strikes in its middle. */
function haltingUpload(): UploadRequest {
  const sizeBytes = 2_000_000;
  return uploadOf({
    sizeBytes,
    async *body() {
      yield new Uint8Array(sizeBytes - 10);
      await new Promise<never>(() => {});
    },
  });
}

type Expected = Pick<FaultDetails, 'disposition' | 'outcome' | 'halt' | 'scope'>;

const later = { disposition: 'retry', scope: 'file' } as const;
const lane = { disposition: 'retry', scope: 'lane', outcome: 'refused' } as const;
const auth = { disposition: 'halt', halt: 'auth', outcome: 'refused' } as const;
const unknown = { ...later, outcome: 'unknown' } as const;
const refused = { ...later, outcome: 'refused' } as const;
/** A server in trouble may say that all shall wait. */
const acted = { disposition: 'retry', outcome: 'unknown' } as const;
const asked = { disposition: 'retry', outcome: 'refused' } as const;

/** What an upload throws, and whether it was stored nevertheless. */
const uploads: Partial<Record<Trouble, readonly [Expected, isStored: boolean]>> = {
  'no connection': [lane, false],
  'rate limited': [lane, false],
  'key refused': [auth, false],
  'quota exceeded': [{ disposition: 'halt', halt: 'quota', outcome: 'refused' }, false],
  'request refused': [{ disposition: 'skip', outcome: 'refused' }, false],
  'reset in the body': [refused, false],
  'error, lost': [acted, false],
  'error, done': [acted, true],
  'reset, lost': [unknown, false],
  'reset, done': [unknown, true],
  'silence, lost': [unknown, false],
  'silence, done': [unknown, true],
  'conflict after the body': [unknown, true],
  'no JSON': [unknown, true],
};

/** What a request without a body throws: one that only asks, and a delete. */
const others: Partial<Record<Trouble, readonly [asking: Expected, deleting: Expected]>> = {
  'no connection': [lane, lane],
  'rate limited': [lane, lane],
  'key refused': [auth, auth],
  forbidden: [auth, auth],
  'request refused': [refused, refused],
  conflict: [refused, refused],
  'error, lost': [asked, acted],
  'error, done': [asked, acted],
  'reset, lost': [refused, unknown],
  'reset, done': [refused, unknown],
  'silence, lost': [refused, unknown],
  'silence, done': [refused, unknown],
  'no JSON': [refused, unknown],
};

const doneTroubles = ['error, done', 'reset, done', 'silence, done', 'no JSON'];

function filesApiContract(open: () => Promise<ApiBench>): void {
  const upload = (bench: ApiBench, changes: Partial<UploadRequest> = {}): Promise<RemoteFile> =>
    bench.end(bench.api.upload(uploadOf(changes), never));

  const faultOf = (bench: ApiBench, promise: Promise<unknown>): Promise<unknown> =>
    bench.end(
      promise.then(
        () => 'no fault',
        (error: unknown) => error,
      ),
    );

  async function pagesOf(
    bench: ApiBench,
    request: ListRequest,
    signal = never,
    onPage: () => void = () => {},
  ): Promise<readonly RemoteFile[][]> {
    const pages: RemoteFile[][] = [];
    for await (const page of bench.api.list(request, signal)) {
      pages.push([...page]);
      onPage();
    }
    return pages;
  }

  const idsOf = async (bench: ApiBench, request: ListRequest): Promise<readonly string[]> =>
    (await bench.end(pagesOf(bench, request))).flat().map(({ id }) => id);

  describe('an upload', () => {
    test('stores these bytes under this name and purpose, and says so', async () => {
      const bench = await open();
      const file = await upload(bench, { expiresAfterSeconds: 86_400 });
      expect(file).toMatchObject({ bytes: content.length, purpose: 'user_data', filename: 'a.jsonl' });
      expect(bench.stored()).toMatchObject([{ id: file.id, purpose: 'user_data', filename: 'a.jsonl' }]);
      expect(Buffer.compare((await bench.contentOf(file.id)) ?? Buffer.alloc(0), content)).toBe(0);
      expect(Math.abs((file.createdAt ?? 0) - bench.serverMs() / 1_000)).toBeLessThan(3);
      expect(file.expiresAt).toBe((file.createdAt ?? 0) + 86_400);
      expect((await upload(bench)).expiresAt).toBeNull();
    });

    test('asks for its body once; equal ones are two files', async () => {
      const bench = await open();
      let asked = 0;
      const counted = uploadOf();
      const body = (): AsyncIterable<Uint8Array> => {
        asked += 1;
        return counted.body();
      };
      const first = await upload(bench, { body });
      expect(asked).toBe(1);
      const second = await upload(bench, { body });
      expect(asked).toBe(2);
      expect(bench.stored().map(({ id }) => id)).toEqual([first.id, second.id]);
    });

    test('whose body throws passes that on as it is, and stores nothing', async () => {
      const bench = await open();
      const error = new Error('the file has moved');
      for (const goodBytes of [0, 1_000, content.length]) {
        const body = async function* (): AsyncGenerator<Uint8Array> {
          for (let at = 0; at < goodBytes; at += 1_000)
            yield new Uint8Array(content.subarray(at, Math.min(at + 1_000, content.length - 1)));
          throw error;
        };
        expect(await faultOf(bench, bench.api.upload(uploadOf({ body }), never))).toBe(error);
      }
      await bench.pass(20);
      expect(bench.stored()).toEqual([]);
    });

    test.each(Object.keys(uploads) as Trouble[])(
      'that meets "%s" says what to do, and whether it may be stored',
      async (trouble) => {
        const [expected, isStored] = uploads[trouble] ?? [refused, false];
        const bench = await open();
        await bench.befall(trouble);
        const request = trouble === 'reset in the body' ? haltingUpload() : uploadOf();
        const fault = await faultOf(bench, bench.api.upload(request, never));
        expect(fault).toMatchObject({ name: 'Fault', ...expected });
        // An effect may come late.
        await bench.pass(20);
        await bench.end(sleepUntil(() => bench.stored().length === (isStored ? 1 : 0)));
      },
    );
  });

  describe.each(['retrieve', 'list', 'probe', 'delete'] as const)('a %s', (verb) => {
    const ask = (bench: ApiBench, id: string, signal = never): Promise<unknown> => {
      const { api } = bench;
      if (verb === 'retrieve') return api.retrieve(id, signal);
      if (verb === 'delete') return api.delete(id, signal);
      if (verb === 'probe') return api.probe(signal);
      return pagesOf(bench, { purpose: null, order: 'desc' }, signal);
    };

    test.each(Object.keys(others) as Trouble[])('that meets "%s" says what to do', async (trouble) => {
      const [asking, deleting] = others[trouble] ?? [refused, refused];
      const bench = await open();
      const { id } = await upload(bench);
      await bench.befall(trouble);
      const fault = await faultOf(bench, ask(bench, id));
      expect(fault).toMatchObject({ name: 'Fault', ...(verb === 'delete' ? deleting : asking) });
      const isGone = verb === 'delete' && doneTroubles.includes(trouble);
      if (trouble !== 'no JSON') expect(bench.stored()).toHaveLength(isGone ? 0 : 1);
    });

    test('ends with the reason of its signal, before and during', async () => {
      const bench = await open();
      const { id } = await upload(bench);
      await bench.befall('silence, lost');
      const reason = new Error('stopping');
      expect(await faultOf(bench, ask(bench, id, AbortSignal.abort(reason)))).toBe(reason);
      const stop = new AbortController();
      bench.soon(() => stop.abort(reason));
      expect(await faultOf(bench, ask(bench, id, stop.signal))).toBe(reason);
      expect(bench.stored()).toHaveLength(1);
    });
  });

  test('an upload ends with the reason of its signal, before, in its body and after it', async () => {
    const bench = await open();
    const reason = new Error('stopping');
    expect(await faultOf(bench, bench.api.upload(uploadOf(), AbortSignal.abort(reason)))).toBe(reason);
    const inBody = new AbortController();
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(content.subarray(0, 1_000));
      inBody.abort(reason);
      yield new Uint8Array(content.subarray(1_000));
    };
    expect(await faultOf(bench, bench.api.upload(uploadOf({ body }), inBody.signal))).toBe(reason);
    expect(bench.stored()).toEqual([]);
    await bench.befall('silence, lost');
    const after = new AbortController();
    bench.soon(() => after.abort(reason));
    expect(await faultOf(bench, bench.api.upload(uploadOf(), after.signal))).toBe(reason);
  });

  describe('what is asked', () => {
    test('of a file is answered as its upload was; of one that is not there with null, also once it is deleted', async () => {
      const bench = await open();
      const file = await upload(bench);
      expect(await bench.end(bench.api.retrieve(file.id, never))).toEqual(file);
      expect(await bench.end(bench.api.retrieve('file-nobody-knows', never))).toBeNull();
      expect(await bench.end(bench.api.delete(file.id, never))).toBe('deleted');
      expect(await bench.end(bench.api.delete(file.id, never))).toBe('absent');
      expect(await bench.end(bench.api.retrieve(file.id, never))).toBeNull();
      expect(bench.stored()).toEqual([]);
    });

    test('of all files is answered page by page: each once, of one purpose or of all, in the order asked for', async () => {
      const bench = await open();
      expect(await idsOf(bench, { purpose: null, order: 'desc' })).toEqual([]);
      for (let index = 0; index < 25; index += 1)
        await bench.add(index % 5 === 0 ? 'batch' : 'user_data', `${index}.jsonl`);
      const all = bench.stored().map(({ id }) => id);
      const batch = bench.stored().filter(({ purpose }) => purpose === 'batch');
      expect(await idsOf(bench, { purpose: null, order: 'asc' })).toEqual(all);
      expect(await idsOf(bench, { purpose: null, order: 'desc' })).toEqual(all.toReversed());
      expect(await idsOf(bench, { purpose: 'batch', order: 'asc' })).toEqual(batch.map(({ id }) => id));
      expect(await idsOf(bench, { purpose: 'evals', order: 'asc' })).toEqual([]);
      const [first] = (await bench.end(pagesOf(bench, { purpose: null, order: 'asc' }))).flat();
      expect(first).toEqual(await bench.end(bench.api.retrieve(all[0] ?? '', never)));
    });

    test('of the server is its time: unknown before a reply, right after any, and running on', async () => {
      const bench = await open();
      expect(bench.api.serverNowMs()).toBeNull();
      await bench.befall('key refused');
      await faultOf(bench, bench.api.probe(never));
      const off = (): number => bench.serverMs() - (bench.api.serverNowMs() ?? 0);
      expect(Math.abs(off())).toBeLessThan(1_500);
      const before = off();
      await bench.pass(300);
      expect(Math.abs(off() - before)).toBeLessThan(50);
    });

    test('to see whether the key is accepted is a probe', async () => {
      const bench = await open();
      await bench.end(bench.api.probe(never));
      expect(bench.stored()).toEqual([]);
    });
  });
}

/** By real time. */
async function sleepUntil(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 50 && !condition(); turn += 1) await sleep(5);
  expect(condition()).toBe(true);
}

describe('the client, and the emulator', () => {
  filesApiContract(emulatorBench);
});

describe('the API of the simulation', () => {
  filesApiContract(simulatedBench);
});
