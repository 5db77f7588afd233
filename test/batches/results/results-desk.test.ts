import { chmod, link, mkdir, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BatchRecord } from '../../../src/contract/batch.ts';
import type { BatchSummary } from '../../../src/batches/results/batch-summary.ts';
import { createReadRequests } from '../../../src/batches/results/local-requests.ts';
import { realResultsDisk } from '../../../src/batches/results/results-disk.ts';
import {
  answer,
  batchOf,
  expired,
  failed,
  fileOf,
  never,
  place,
  recordOf,
  request,
  sha256Of,
} from './fixture.ts';
import type { Place } from './fixture.ts';

const FIVE = ['a', 'b', 'c', 'd', 'e'];
const INPUT = fileOf(FIVE.map((id) => request(id)));
const PATH = 'batch/2026/a.jsonl';

/** A place with five requests, and what the batch has made of them. */
async function five(output: readonly string[] | null, errors: readonly string[] | null = null) {
  const here = await place();
  await here.put(PATH, INPUT);
  here.files.put('file-in', INPUT);
  if (output !== null) here.files.put('file-out', fileOf(output));
  if (errors !== null) here.files.put('file-err', fileOf(errors));
  const batch = batchOf({
    outputFileId: output && 'file-out',
    errorFileId: errors && 'file-err',
  });
  return { here, records: new Map([['s0', recordOf(INPUT, { batch })]]) };
}

async function summaryOf(here: Place, name = 'results/2026/a.batch.json'): Promise<BatchSummary> {
  return JSON.parse(await here.read(name)) as BatchSummary;
}

describe('results of one batch', () => {
  test('answers byte for byte, in the order of the input, and what became of it', async () => {
    const output = ['d', 'a', 'e', 'c', 'b'].map((id) => `${answer(id)}  `);
    const { here, records } = await five(output);
    const desk = here.desk();
    expect(await desk.collect('s0', records, never)).toEqual({
      lines: { answered: 5, failed: 0, missing: 0 },
      retryable: [],
      oddities: [],
    });
    expect(await desk.write('s0', records, never)).toEqual({
      output: 'results/2026/a.output.jsonl',
      errors: null,
      summary: 'results/2026/a.batch.json',
      lines: { answered: 5, failed: 0, missing: 0 },
    });
    expect(await here.results()).toEqual(['2026/a.batch.json', '2026/a.output.jsonl']);
    expect(await here.read('results/2026/a.output.jsonl')).toBe(fileOf(FIVE.map((id) => `${answer(id)}  `)));
    expect(await summaryOf(here)).toMatchObject({
      version: 1,
      path: PATH,
      sha256: sha256Of(INPUT),
      state: 'done',
      requests: 5,
      lines: { answered: 5, failed: 0, missing: 0 },
      output: { name: 'a.output.jsonl', bytes: fileOf(output).length },
      errors: null,
      batches: [
        {
          submission: 's0',
          generation: 0,
          id: 'batch_1',
          status: 'completed',
          createdAt: '2025-11-21T23:00:00.000Z',
          endedAt: '2025-11-22T00:00:00.000Z',
        },
      ],
    });
    expect(await readdir(join(here.root, 'results/2026'))).toHaveLength(2);
  });

  test('every line that has no answer is in the error file: as the API said it, or as missing', async () => {
    const { here, records } = await five([answer('e'), failed('b')], [expired('c'), failed('a', 429)]);
    const desk = here.desk();
    const { lines, retryable } = await desk.collect('s0', records, never);
    expect(lines).toEqual({ answered: 1, failed: 3, missing: 1 });
    expect(retryable.map(({ customId, line, code }) => [customId, line, code])).toEqual([
      ['a', 1, 'invalid_value'],
      ['c', 3, 'batch_expired'],
      ['d', 4, 'missing'],
    ]);
    await desk.write('s0', records, never);
    const errors = (await here.read('results/2026/a.errors.jsonl')).trimEnd().split('\n');
    expect(errors.slice(0, 3)).toEqual([failed('a', 429), failed('b'), expired('c')]);
    expect(JSON.parse(errors[3] ?? '')).toMatchObject({ custom_id: 'd', error: { code: 'missing' } });
    expect((await summaryOf(here)).state).toBe('partial');
  });

  test('answers to no line, answers that came twice and lines that are none are told and kept out', async () => {
    const { here, records } = await five([
      ...FIVE.map((id) => answer(id)),
      answer('x'),
      answer('a', 'again'),
      'what?',
      answer('b'),
    ]);
    const { lines, oddities } = await here
      .desk()
      .collect('s0', records, never)
      .catch((error: unknown) => {
        throw error;
      });
    expect(lines.answered).toBe(5);
    expect(oddities).toEqual([
      '1 answer to no line of the input (x)',
      '2 answers that came twice (the first: a)',
      '1 line that cannot be read (what?)',
    ]);
  });

  test('a batch that ran no line has a summary that names its lines, and no error file', async () => {
    const { here } = await five(null);
    const problems = [{ code: 'invalid_json_line', message: 'no JSON', line: 3, param: null }];
    const record = recordOf(INPUT, { batch: batchOf({ status: 'failed', problems }) });
    const written = await here.desk().write('s0', new Map([['s0', record]]), never);
    expect(written).toMatchObject({ output: null, errors: null, lines: { missing: 5 } });
    expect(await summaryOf(here)).toMatchObject({ state: 'failed', batches: [{ problems }] });
  });

  test('a file of 0 bytes is one', async () => {
    const { here, records } = await five([]);
    expect((await here.desk().collect('s0', records, never)).lines).toEqual({
      answered: 0,
      failed: 0,
      missing: 5,
    });
  });

  test('the input is read again from the API when the local one is another by now, or gone', async () => {
    for (const change of [
      (here: Place) => rm(join(here.root, PATH)),
      (here: Place) => here.put(PATH, 'other'),
    ]) {
      const { here, records } = await five(FIVE.map((id) => answer(id)).toReversed());
      await change(here);
      await here.desk().write('s0', records, never);
      expect(await here.read('results/2026/a.output.jsonl')).toBe(fileOf(FIVE.map((id) => answer(id))));
    }
  });

  test('and when the local one cannot be read; only when the API has none either, that is told', async () => {
    const { here, records } = await five(FIVE.map((id) => answer(id)));
    const open: typeof realResultsDisk.open = async (path, ...rest) => {
      if (String(path) !== join(here.root, PATH)) return await realResultsDisk.open(path, ...rest);
      throw Object.assign(new Error('EACCES: permission denied, open'), { code: 'EACCES', syscall: 'open' });
    };
    const disk = { ...realResultsDisk, open };
    expect((await here.desk({ disk }).collect('s0', records, never)).lines.answered).toBe(5);
    await here.desk().forget('s0');
    here.files.files.delete('file-in');
    await expect(here.desk({ disk }).collect('s0', records, never)).rejects.toMatchObject({
      rule: 'unreadable',
      message: `${PATH}: cannot be read: EACCES: permission denied`,
    });
  });

  test('when the input is gone everywhere, what there is is written, and what cannot be named is counted', async () => {
    const { here, records } = await five([answer('c'), answer('a')], [failed('b')]);
    await rm(join(here.root, PATH));
    here.files.files.delete('file-in');
    const { lines, oddities, retryable } = await here.desk().collect('s0', records, never);
    expect({ lines, retryable }).toEqual({ lines: { answered: 2, failed: 1, missing: 2 }, retryable: [] });
    expect(oddities).toEqual([expect.stringContaining('2 lines cannot be named')]);
    await here.desk().write('s0', records, never);
    expect(await here.read('results/2026/a.output.jsonl')).toBe(fileOf([answer('c'), answer('a')]));
  });

  test('a line of 20 MB', async () => {
    const long = answer('c', 'x'.repeat(20_000_000));
    const { here, records } = await five(FIVE.toReversed().map((id) => (id === 'c' ? long : answer(id))));
    here.files.chunkBytes = 1_000_003;
    await here.desk().write('s0', records, never);
    const expected = fileOf(FIVE.map((id) => (id === 'c' ? long : answer(id))));
    expect(sha256Of(await here.read('results/2026/a.output.jsonl'))).toBe(sha256Of(expected));
  });
});

describe('fetching', () => {
  test('a file that is not there (any more)', async () => {
    const { here, records } = await five(FIVE.map((id) => answer(id)));
    here.files.files.delete('file-out');
    await expect(here.desk().collect('s0', records, never)).rejects.toMatchObject({
      rule: 'gone',
      disposition: 'skip',
    });
    // What can be said is written all the same.
    await here.desk().write('s0', records, never);
    expect((await summaryOf(here)).oddities).toEqual(['the API has no file file-out any more']);
  });

  test.each([
    [{ bytes: 300, breaks: true }, { rule: 'network' }],
    [
      { bytes: 300, breaks: false },
      { rule: 'cut-off', disposition: 'retry' },
    ],
    [
      { bytes: 0, breaks: false },
      { rule: 'cut-off', disposition: 'retry' },
    ],
  ])('a download that ends at %j is begun again', async (cut, fault) => {
    const { here, records } = await five(FIVE.map((id) => answer(id)));
    here.files.cuts.push(cut);
    const desk = here.desk();
    await expect(desk.collect('s0', records, never)).rejects.toMatchObject(fault);
    expect((await desk.collect('s0', records, never)).lines.answered).toBe(5);
  });

  test('where the API does not say how long it is, the last line tells whether it is whole', async () => {
    const { here, records } = await five(FIVE.map((id) => answer(id)));
    const stored = here.files.files.get('file-out');
    if (stored !== undefined) stored.bytes = null;
    here.files.cuts.push({ bytes: 300, breaks: false });
    await expect(here.desk().collect('s0', records, never)).rejects.toMatchObject({ rule: 'cut-off' });
  });

  test('what is staged whole is not fetched again, not even after a restart', async () => {
    const { here, records } = await five(
      FIVE.map((id) => answer(id)),
      [],
    );
    await here.desk().collect('s0', records, never);
    expect(here.files.downloads).toBe(2);
    here.files.files.clear();
    await here.desk().collect('s0', records, never);
    await here.desk().write('s0', records, never);
    expect(here.files.downloads).toBe(2);
  });

  test('the state folder is private, and is left when the submission is over', async () => {
    const { here, records } = await five(FIVE.map((id) => answer(id)));
    const desk = here.desk();
    await desk.write('s0', records, never);
    const staged = join(here.stateDir, 'batches/s0');
    expect((await stat(staged)).mode & 0o777).toBe(0o700);
    await desk.forget('s0');
    await expect(stat(staged)).rejects.toThrow('ENOENT');
  });

  test('an id that could be a path is refused', async () => {
    const { here, records } = await five([]);
    const record = records.get('s0') as BatchRecord;
    await expect(here.desk().collect('../s', new Map([['../s', record]]), never)).rejects.toThrow(TypeError);
  });
});

describe('generations', () => {
  test('the first success of a line wins; one output', async () => {
    const { here } = await five([answer('a'), answer('c')], [failed('b'), expired('d')]);
    here.files.put('file-out1', fileOf([answer('e', 'later'), answer('d', 'later')]));
    const first = batchOf({ outputFileId: 'file-out', errorFileId: 'file-err' });
    const records = new Map([
      ['s0', recordOf(INPUT, { batch: first })],
      [
        's1',
        recordOf(INPUT, {
          generation: 1,
          of: 's0',
          batch: batchOf({ id: 'batch_2', outputFileId: 'file-out1' }),
        }),
      ],
    ]);
    const desk = here.desk();
    expect((await desk.collect('s0', records, never)).lines).toEqual({ answered: 2, failed: 2, missing: 1 });
    expect(await desk.collect('s1', records, never)).toMatchObject({
      lines: { answered: 4, failed: 1, missing: 0 },
      retryable: [],
    });
    await desk.write('s0', records, never);
    expect(await here.read('results/2026/a.output.jsonl')).toBe(
      fileOf([answer('a'), answer('c'), answer('d', 'later'), answer('e', 'later')]),
    );
    expect(await here.read('results/2026/a.errors.jsonl')).toBe(fileOf([failed('b')]));
    expect((await summaryOf(here)).batches.map(({ id }) => id)).toEqual(['batch_1', 'batch_2']);
  });

  test('results that were partial are replaced by the merged ones, and an error file that is empty now goes', async () => {
    const { here, records } = await five(
      FIVE.slice(1).map((id) => answer(id)),
      [expired('a')],
    );
    await here.desk().write('s0', records, never);
    expect(await here.results()).toContain('2026/a.errors.jsonl');
    here.files.put('file-out1', fileOf([answer('a')]));
    records.set(
      's1',
      recordOf(INPUT, { generation: 1, of: 's0', batch: batchOf({ outputFileId: 'file-out1' }) }),
    );
    await here.desk().forget('s0');
    await here.desk().write('s0', records, never);
    expect(await here.results()).toEqual(['2026/a.batch.json', '2026/a.output.jsonl']);
    expect(await here.read('results/2026/a.output.jsonl')).toBe(fileOf(FIVE.map((id) => answer(id))));
  });
});

describe('names', () => {
  test.each([
    [false, 'batch/2026/a.jsonl', '2026/a.output.jsonl'],
    [false, 'batch/a.JSONL', 'a.output.jsonl'],
    [true, 'batch/2026/a.jsonl', 'batch/2026/a.output.jsonl'],
    [false, 'batch/a', 'a.output.jsonl'],
    [false, `batch/${'ä'.repeat(124)}.jsonl`, `${'ä'.repeat(100)}.output.jsonl`],
  ])('several batch folders: %j, %s', async (keepsFolder, path, name) => {
    const { here } = await five([answer('a')]);
    await here.put(path, INPUT);
    const record = recordOf(INPUT, { path, batch: batchOf({ outputFileId: 'file-out' }) });
    await here.desk({ keepsFolder }).write('s0', new Map([['s0', record]]), never);
    expect(await here.results()).toContain(name);
  });

  test('written again, the same files', async () => {
    const { here, records } = await five([answer('a')], [failed('b')]);
    const first = await here.desk().write('s0', records, never);
    const before = await here.results();
    expect(await here.desk().write('s0', records, never)).toEqual(first);
    expect(await here.results()).toEqual(before);
  });

  test('what a person changed is left, and all three get the next number', async () => {
    const { here, records } = await five([answer('a')], [failed('b')]);
    const desk = here.desk();
    await desk.write('s0', records, never);
    await writeFile(join(here.root, 'results/2026/a.output.jsonl'), 'mine');
    const written = await desk.write('s0', records, never);
    expect(written).toMatchObject({
      output: 'results/2026/a.output.1.jsonl',
      errors: 'results/2026/a.errors.1.jsonl',
      summary: 'results/2026/a.batch.1.json',
      note: expect.stringContaining('results/2026/a.output.jsonl'),
    });
    expect(await here.read('results/2026/a.output.jsonl')).toBe('mine');
    // It stays so, and stays said.
    expect(await here.desk().write('s0', records, never)).toEqual(written);
  });

  test.each(['output.jsonl', 'errors.jsonl', 'batch.json'])('what lies at a.%s is left', async (name) => {
    const { here, records } = await five([answer('a')], [failed('b')]);
    await here.put(`results/2026/a.${name}`, 'mine');
    expect((await here.desk().write('s0', records, never)).summary).toBe('results/2026/a.batch.1.json');
    expect(await here.read(`results/2026/a.${name}`)).toBe('mine');
  });

  test('a folder, a link and a link to nowhere in the place of a result are left', async () => {
    const { here, records } = await five([answer('a')]);
    const at = (name: string): string => join(here.root, 'results/2026', name);
    await mkdir(at('a.output.jsonl'), { recursive: true });
    await symlink('/nowhere', at('a.output.1.jsonl'));
    await here.put('mine.jsonl', 'mine');
    await link(join(here.root, 'mine.jsonl'), at('a.output.2.jsonl'));
    expect((await here.desk().write('s0', records, never)).output).toBe('results/2026/a.output.3.jsonl');
    expect(await here.read('mine.jsonl')).toBe('mine');
  });

  test('a later version of the path gets the plain names, whichever ends first', async () => {
    const { here, records } = await five([answer('a')]);
    records.set('t0', { ...recordOf('other'), sha256: 'other', wantedAt: 1_763_769_000 });
    expect((await here.desk().write('s0', records, never)).output).toBe('results/2026/a.output.1.jsonl');
  });

  test('a later version finds the names taken: the next ones', async () => {
    const { here, records } = await five([answer('a')]);
    await here.desk().write('s0', records, never);
    here.files.put('file-out2', fileOf([answer('b')]));
    const later = recordOf(INPUT, {
      sha256: sha256Of(INPUT),
      wantedAt: 1_763_769_000,
      batch: batchOf({ outputFileId: 'file-out2' }),
    });
    records.set('t0', later);
    expect((await here.desk().write('t0', records, never)).output).toBe('results/2026/a.output.1.jsonl');
    expect(await here.read('results/2026/a.output.jsonl')).toBe(fileOf([answer('a')]));
  });

  test('after a rename, results stay where they are', async () => {
    const { here, records } = await five([answer('a')]);
    await here.desk().write('s0', records, never);
    records.set('s0', { ...(records.get('s0') as BatchRecord), path: 'batch/b.jsonl' });
    expect((await here.desk().write('s0', records, never)).output).toBe('results/2026/a.output.jsonl');
  });

  test.each([
    [0o750, 0o640, 0o750],
    [0o700, 0o600, 0o700],
    [0o777, 0o640, 0o750],
  ])('an input folder of %o makes files of %o and folders of %o', async (folder, file, made) => {
    const { here, records } = await five([answer('a')]);
    await chmod(dirname(join(here.root, PATH)), folder);
    await here.desk().write('s0', records, never);
    expect((await stat(join(here.root, 'results/2026/a.output.jsonl'))).mode & 0o777).toBe(file);
    expect((await stat(join(here.root, 'results/2026'))).mode & 0o777).toBe(made);
  });

  test.each<[string, (here: Place) => Promise<void>]>([
    ['a file', (here) => here.put('results', 'mine')],
    ['a link', (here) => symlink('batch', join(here.root, 'results'))],
  ])('a results folder that is %s: halt, and nothing is written', async (_what, make) => {
    const { here, records } = await five([answer('a')]);
    await make(here);
    const before = await readdir(here.root, { recursive: true });
    await expect(here.desk().write('s0', records, never)).rejects.toMatchObject({
      disposition: 'halt',
      halt: 'state',
      rule: 'not-a-folder',
      message: expect.stringMatching(/^results cannot be written: it is a .*batches\.resultsFolder/),
    });
    expect(await readdir(here.root, { recursive: true })).toEqual(before);
  });

  test('a root that is not the right one gets nothing', async () => {
    const { here, records } = await five([answer('a')]);
    const assertRoot = async (): Promise<void> => {
      throw new Error('another root');
    };
    await expect(here.desk({ assertRoot }).write('s0', records, never)).rejects.toThrow('another root');
    expect(await here.results()).toEqual([]);
  });
});

describe('reading requests', () => {
  test('how many, for what, with what, and an estimate', async () => {
    const { here } = await five(null);
    const read = createReadRequests(here.root, realResultsDisk);
    expect(await read(PATH, sha256Of(INPUT), never)).toEqual({
      requests: 5,
      endpoint: '/v1/chat/completions',
      model: 'gpt-4o-mini',
      // `user` and `hello`, five times.
      inputTokens: Math.ceil((5 * 9) / 4),
    });
  });

  test('another version, a folder, a link or nothing: null', async () => {
    const { here } = await five(null);
    const read = createReadRequests(here.root, realResultsDisk);
    await symlink('a.jsonl', join(here.root, 'batch/2026/l.jsonl'));
    expect(await read(PATH, sha256Of('x'), never)).toBeNull();
    expect(await read('batch/2026', sha256Of(INPUT), never)).toBeNull();
    expect(await read('batch/2026/l.jsonl', sha256Of(INPUT), never)).toBeNull();
    expect(await read('batch/none.jsonl', sha256Of(INPUT), never)).toBeNull();
  });

  test('blank lines, CRLF, a byte order mark, lines that are none, two endpoints, two models, no last LF', async () => {
    const { here } = await five(null);
    const other = JSON.stringify({
      custom_id: 'z',
      url: '/v1/embeddings',
      body: { model: 'm', input: 'data:xyz' },
    });
    const content = `\ufeff${request('a')}\r\n\n[]\n${other}`;
    await here.put('batch/b.jsonl', content);
    expect(
      await createReadRequests(here.root, realResultsDisk)('batch/b.jsonl', sha256Of(content), never),
    ).toEqual({
      requests: 3,
      endpoint: null,
      model: null,
      inputTokens: 3,
    });
  });
});

/** What the API may make of a line. */
type Fate = 'answered' | 'failed' | 'expired' | 'missing' | 'both';

describe('any input, any fates, any order, any cuts', () => {
  const fate = fc.constantFrom<Fate>('answered', 'failed', 'expired', 'missing', 'both');
  const life = fc.record({
    fates: fc.array(fc.tuple(fate, fate), { minLength: 1, maxLength: 40 }),
    seed: fc.integer(),
    chunkBytes: fc.integer({ min: 1, max: 700 }),
    cuts: fc.array(fc.record({ bytes: fc.integer({ min: 0, max: 3000 }), breaks: fc.boolean() }), {
      maxLength: 3,
    }),
    restarts: fc.boolean(),
  });

  test('every line has exactly one answer or one named reason; results are those of the fates, in order', async () => {
    await fc.assert(
      fc.asyncProperty(life, async ({ fates, seed, chunkBytes, cuts, restarts }) => {
        const here = await place();
        const ids = fates.map((_, n) => `r${n}`);
        const input = fileOf(ids.map((id) => request(id)));
        await here.put(PATH, input);
        const first = filesOf(
          ids,
          fates.map(([one]) => one),
          'one',
          seed,
        );
        const again = ids.filter((_, n) => ['expired', 'missing'].includes(fates[n]?.[0] ?? ''));
        const second = filesOf(
          again,
          again.map((id) => fates[Number(id.slice(1))]?.[1] ?? 'missing'),
          'two',
          seed + 1,
        );
        for (const [name, { output, errors }] of [
          ['0', first],
          ['1', second],
        ] as const) {
          here.files.put(`out${name}`, fileOf(output));
          here.files.put(`err${name}`, fileOf(errors));
        }
        here.files.chunkBytes = chunkBytes;
        here.files.cuts.push(...cuts);
        const records = new Map([
          ['s0', recordOf(input, { batch: batchOf({ outputFileId: 'out0', errorFileId: 'err0' }) })],
          [
            's1',
            recordOf(input, {
              generation: 1,
              of: 's0',
              batch: batchOf({ outputFileId: 'out1', errorFileId: 'err1' }),
            }),
          ],
        ]);
        let desk = here.desk();
        const insist = async <T>(act: () => Promise<T>): Promise<T> => {
          for (;;) {
            try {
              return await act();
            } catch (error) {
              if (!/cut-off|network/.test((error as { rule?: string }).rule ?? '')) throw error;
              if (restarts) desk = here.desk();
            }
          }
        };
        const before = await insist(() => desk.collect('s0', records, never));
        expect(before.retryable.map(({ customId }) => customId)).toEqual(again);
        const { lines } = await insist(() => desk.collect('s1', records, never));
        expect(lines.answered + lines.failed + lines.missing).toBe(ids.length);
        const written = await insist(() => desk.write('s0', records, never));
        const end = (n: number): [Fate, string] => {
          const [one, two] = fates[n] ?? ['missing', 'missing'];
          if (one === 'answered' || one === 'both') return ['answered', 'one'];
          if (one === 'failed') return ['failed', 'one'];
          return two === 'missing' ? [one, 'one'] : [two === 'both' ? 'answered' : two, 'two'];
        };
        const ends = ids.map((id, n) => [id, ...end(n)] as const);
        const answered = ends.filter(([, fate]) => fate === 'answered');
        const others = ends.filter(([, fate]) => fate !== 'answered');
        const output = written.output === null ? '' : await here.read(written.output);
        expect(output).toBe(fileOf(answered.map(([id, , by]) => answer(id, by))));
        const errors = written.errors === null ? '' : await here.read(written.errors);
        const named = errors === '' ? [] : errors.trimEnd().split('\n');
        expect(named.map((line) => (JSON.parse(line) as { custom_id: string }).custom_id)).toEqual(
          others.map(([id]) => id),
        );
        for (const [n, [id, fate]] of others.entries()) {
          if (fate === 'failed') expect(named[n]).toBe(failed(id));
          if (fate === 'expired') expect(named[n]).toBe(expired(id));
        }
        await rm(dirname(here.root), { recursive: true });
      }),
      { numRuns: 25 },
    );
  });
});

/** The files of a batch with these fates, in an order of their own. `by`: marks its answers. */
function filesOf(ids: readonly string[], fates: readonly Fate[], by: string, seed: number) {
  const output: string[] = [];
  const errors: string[] = [];
  for (const [n, id] of ids.entries()) {
    const fate = fates[n];
    if (fate === 'answered' || fate === 'both') output.push(answer(id, by));
    if (fate === 'failed' || fate === 'both') errors.push(failed(id));
    if (fate === 'expired') errors.push(expired(id));
  }
  return { output: shuffled(output, seed), errors: shuffled(errors, seed) };
}

function shuffled(lines: readonly string[], seed: number): readonly string[] {
  return lines.toSorted((a, b) => sha256Of(`${seed}${a}`).localeCompare(sha256Of(`${seed}${b}`)));
}
