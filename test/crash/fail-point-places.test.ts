import { describe, expect, test } from 'vitest';
import type { FilesApi, Manifest } from '../../src/contract/ports.ts';
import { NO_MEMORY } from '../../src/contract/types.ts';
import { withFailPoints } from './fail-points.ts';

class Death extends Error {}

const die = (): never => {
  throw new Death();
};

const remote = { id: 'file-1', bytes: 2, createdAt: 1, expiresAt: null, filename: 'a', purpose: 'batch' };
const { signal } = new AbortController();

/** Ports that say what was asked of them, in order. */
function recordedParts(): { readonly asked: string[]; readonly api: FilesApi; readonly manifest: Manifest } {
  const asked: string[] = [];
  const api: FilesApi = {
    async upload({ body }) {
      asked.push('upload');
      for await (const chunk of body()) asked.push(`${chunk.length} bytes`);
      return remote;
    },
    async *list() {
      yield [remote];
      yield [];
    },
    retrieve: async () => remote,
    delete: async () => {
      asked.push('delete');
      return 'deleted';
    },
    probe: async () => {},
    serverNowMs: () => 7,
  };
  const manifest: Manifest = {
    mirrorId: 'm',
    files: new Map(),
    intents: new Map(),
    garbage: new Map(),
    rejected: new Map(),
    memory: NO_MEMORY,
    subscribe: () => void asked.push('subscribe'),
    remember: async () => void asked.push('remember'),
    commit: async () => void asked.push('commit'),
  };
  return { asked, api, manifest };
}

async function* twoChunks(): AsyncGenerator<Uint8Array, void> {
  yield new Uint8Array(1);
  yield new Uint8Array(2);
}

const request = {
  purpose: 'batch',
  remoteName: 'a',
  sizeBytes: 3,
  expiresAfterSeconds: null,
  body: twoChunks,
};

/** Everything that fail points lie around, once or twice. */
async function live({
  api,
  manifest,
}: {
  readonly api: FilesApi;
  readonly manifest: Manifest;
}): Promise<void> {
  await manifest.commit({});
  await api.upload(request, signal);
  await manifest.commit({});
  await api.delete('file-1', signal);
  for await (const page of api.list({ purpose: null, order: 'desc' }, signal)) {
    if (page.length === 0) return;
  }
}

const wholeLife = ['commit', 'upload', '1 bytes', '2 bytes', 'commit', 'delete'];

describe('a fail point', () => {
  test.each<[string, readonly string[]]>([
    ['commit:before', []],
    ['commit:after', ['commit']],
    ['commit:before:2', ['commit', 'upload', '1 bytes', '2 bytes']],
    ['commit:after:2', ['commit', 'upload', '1 bytes', '2 bytes', 'commit']],
    ['upload:before', ['commit']],
    ['upload:body', ['commit', 'upload', '1 bytes']],
    ['upload:body:2', ['commit', 'upload', '1 bytes', '2 bytes']],
    ['upload:after:1', ['commit', 'upload', '1 bytes', '2 bytes']],
    ['delete:before', ['commit', 'upload', '1 bytes', '2 bytes', 'commit']],
    ['delete:after', wholeLife],
    ['list:after:2', wholeLife],
  ])('%s ends the process there', async (failPoint, askedBefore) => {
    const { asked, ...parts } = recordedParts();
    const mortal = withFailPoints(parts, { FILES_MIRROR_FAIL_POINT: failPoint }, die);
    await expect(live(mortal)).rejects.toThrow(Death);
    expect(asked).toEqual(askedBefore);
  });

  test('that is not reached so often changes nothing', async () => {
    const { asked, ...parts } = recordedParts();
    await live(withFailPoints(parts, { FILES_MIRROR_FAIL_POINT: 'upload:after:2' }, die));
    expect(asked).toEqual(wholeLife);
  });

  test.each([{}, { FILES_MIRROR_FAIL_POINT: '' }])('is not there unless asked for: %j', (env) => {
    const { asked: _, ...parts } = recordedParts();
    expect(withFailPoints(parts, env, die)).toBe(parts);
  });

  test.each(['upload', 'upload:', 'upload:aftermath', 'upload:after:', 'upload:after:0', 'list:after:x'])(
    'must exist: %s',
    (wanted) => {
      const { asked: _, ...parts } = recordedParts();
      expect(() => withFailPoints(parts, { FILES_MIRROR_FAIL_POINT: wanted }, die)).toThrow(
        `got "${wanted}"`,
      );
    },
  );
});
