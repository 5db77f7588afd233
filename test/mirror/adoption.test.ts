import { describe, expect, test } from 'vitest';
import { planAdoption, type LocalCandidate } from '../../src/mirror/judge/adoption.ts';
import type { RemoteFile } from '../../src/contract/types.ts';

/** `purpose/…/name:bytes` */
function local(text: string): LocalCandidate {
  const [path = '', bytes] = text.split(':');
  return { path, purpose: path.split('/')[0] ?? '', bytes: Number(bytes), stat: `${bytes} 1 1 1 1` };
}

/** `id purpose/name:bytes` */
function remote(text: string): RemoteFile {
  const [id = '', rest = ''] = text.split(' ');
  const [path = '', bytes] = rest.split(':');
  const [purpose = '', filename = ''] = path.split('/');
  return { id, purpose, filename, bytes: Number(bytes), createdAt: 1, expiresAt: null };
}

interface Row {
  readonly title: string;
  readonly locals: readonly string[];
  readonly remotes: readonly string[];
  /** `path = id` */
  readonly matches?: readonly string[];
  /** `paths against ids` */
  readonly ambiguous?: readonly string[];
  readonly unmatched?: readonly string[];
}

describe('pairing local files with remote ones', () => {
  test.each<Row>([
    { title: 'nothing with nothing', locals: [], remotes: [] },
    {
      title: 'by purpose, name and size',
      locals: ['batch/a:1', 'batch/sub/b:2'],
      remotes: ['f1 batch/b:2', 'f2 batch/a:1'],
      matches: ['batch/a = f2', 'batch/sub/b = f1'],
    },
    {
      title: 'not with another purpose',
      locals: ['batch/a:1'],
      remotes: ['f1 evals/a:1'],
      unmatched: ['batch/a'],
    },
    {
      title: 'not with another name',
      locals: ['batch/a:1'],
      remotes: ['f1 batch/A:1'],
      unmatched: ['batch/a'],
    },
    {
      title: 'not with another size',
      locals: ['batch/a:1'],
      remotes: ['f1 batch/a:2'],
      unmatched: ['batch/a'],
    },
    {
      title: 'remote files without a local twin are nobody’s business',
      locals: [],
      remotes: ['f1 batch/a:1'],
    },
    {
      title: 'two local files for one remote file: neither',
      locals: ['batch/x/a:1', 'batch/y/a:1'],
      remotes: ['f1 batch/a:1'],
      ambiguous: ['batch/x/a batch/y/a against f1'],
    },
    {
      title: 'one local file for two remote files: neither',
      locals: ['batch/a:1'],
      remotes: ['f1 batch/a:1', 'f2 batch/a:1'],
      ambiguous: ['batch/a against f1 f2'],
    },
    {
      title: 'as many here as there is ambiguous as well, and spoils nothing else',
      locals: ['batch/x/a:1', 'batch/y/a:1', 'batch/b:1'],
      remotes: ['f1 batch/a:1', 'f2 batch/a:1', 'f3 batch/b:1'],
      matches: ['batch/b = f3'],
      ambiguous: ['batch/x/a batch/y/a against f1 f2'],
    },
    {
      title: 'names as some servers give them back: quotes escaped, accents composed',
      locals: ['batch/say "hi":1', 'batch/cafe\u0301:1'],
      remotes: ['f1 batch/say%20:1', 'f2 batch/caf\u00e9:1'],
      matches: ['batch/cafe\u0301 = f2'],
      unmatched: ['batch/say "hi"'],
    },
  ])('$title', ({ locals, remotes, matches = [], ambiguous = [], unmatched = [] }) => {
    const plan = planAdoption(locals.map(local), remotes.map(remote));
    expect(plan.matches.map((match) => `${match.local.path} = ${match.remote.id}`)).toEqual(matches);
    expect(plan.ambiguous.map(({ paths, ids }) => `${paths.join(' ')} against ${ids.join(' ')}`)).toEqual(
      ambiguous,
    );
    expect(plan.unmatched).toEqual(unmatched);
  });

  test('a remote file of which the server says too little is never adopted, and never passed over in silence', () => {
    const unsized = { ...remote('f1 batch/a:1'), bytes: null };
    const unnamed = { ...remote('f2 batch/b:2'), filename: null };
    const other = { ...remote('f3 batch/c:3'), bytes: null };
    const plan = planAdoption(
      [local('batch/a:1'), local('batch/b:2'), local('batch/d:3')],
      [unsized, unnamed, other],
    );
    expect(plan.matches).toEqual([]);
    expect(plan.ambiguous).toMatchObject([
      { paths: ['batch/a'], ids: ['f1'] },
      { paths: ['batch/b'], ids: ['f2'] },
    ]);
    expect(plan.unmatched).toEqual(['batch/d']);
  });

  test('a name with a quote, as a server that does not decode it gives it back', () => {
    const escaped = { ...remote('f1 batch/x:1'), filename: 'say %22hi%22' };
    const plan = planAdoption([local('batch/say "hi":1')], [escaped]);
    expect(plan.matches.map(({ remote: { id } }) => id)).toEqual(['f1']);
  });
});
