import { expect, test } from 'vitest';
import type { Ledger } from '../../src/mirror/memory/ledger.ts';
import { LastBytes } from '../../src/mirror/acts/last-bytes.ts';
import type { Change, Intent, ManifestView } from '../../src/contract/types.ts';

const PATH = 'user_data/a.bin';
const INTENT: Intent = {
  purpose: 'user_data',
  remoteName: 'a.bin',
  bytes: 4,
  stat: '4 1 1 1 1',
  startedAtMs: 1,
  serverStartedAtMs: null,
  sent: false,
};
const never = new AbortController().signal;

/** A ledger that cannot write before `room` resolves, as while a disk is full; it looks again and again. */
function fullDisk(intent: Intent = INTENT) {
  const written: Change[] = [];
  const room = Promise.withResolvers<void>();
  const ledger = {
    async record(change: Change, signal: AbortSignal) {
      const stopped = Promise.withResolvers<never>();
      signal.addEventListener('abort', () => stopped.reject(signal.reason), { once: true });
      await Promise.race([room.promise, stopped.promise]);
      written.push(change);
    },
  };
  const view = { intents: new Map([[PATH, intent]]) };
  const lastBytes = new LastBytes(view as unknown as ManifestView, ledger as unknown as Ledger, PATH);
  return { lastBytes, written, room };
}

async function* chunks(): AsyncGenerator<Uint8Array> {
  yield Uint8Array.of(1, 2);
  yield Uint8Array.of(3, 4);
}

test('the last bytes go when it is durable that they do, and not before', async () => {
  const { lastBytes, written, room } = fullDisk();
  const body = lastBytes.around(chunks(), 4, never);
  expect((await body.next()).value).toEqual(Uint8Array.of(1, 2));
  expect(written).toEqual([]);
  const last = body.next();
  room.resolve();
  expect((await last).value).toEqual(Uint8Array.of(3, 4));
  expect(written).toEqual([{ intents: { [PATH]: { ...INTENT, sent: true } } }]);
});

test('an attempt that is over writes nothing any more, whatever its body still waits for', async () => {
  const { lastBytes, written, room } = fullDisk();
  const body = lastBytes.around(chunks(), 4, never);
  await body.next();
  const last = body.next().catch((error: unknown) => error);
  await lastBytes.over();
  room.resolve();
  expect(await last).toMatchObject({ name: 'AbortError' });
  expect(written).toEqual([]);
});

test('nor does one whose last bytes are read after it is over', async () => {
  const { lastBytes, written, room } = fullDisk();
  room.resolve();
  const body = lastBytes.around(chunks(), 4, never);
  await body.next();
  await lastBytes.over();
  await expect(body.next()).rejects.toMatchObject({ name: 'AbortError' });
  expect(written).toEqual([]);
});

test('a small file, whose intent says nothing, goes as it is', async () => {
  const { sent: _sent, ...small } = INTENT;
  const { lastBytes, written } = fullDisk(small);
  const sent: Uint8Array[] = [];
  for await (const chunk of lastBytes.around(chunks(), 4, never)) sent.push(chunk);
  expect(sent).toHaveLength(2);
  expect(written).toEqual([]);
});
