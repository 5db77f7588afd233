import type {
  Change,
  Entry,
  Garbage,
  Intent,
  ManifestView,
  MirrorPath,
  Rejection,
} from '../../src/contract/types.ts';

export function entry(id: string, overrides: Partial<Entry> = {}): Entry {
  return {
    id,
    purpose: 'batch',
    remoteName: 'a.jsonl',
    bytes: 175,
    sha256: 'ab'.repeat(32),
    stat: '175 1763765990123456789 1763765990123456789 88123 2049',
    uploadedAt: 1_763_766_000,
    createdAt: 1_763_766_001,
    expiresAt: 1_766_358_000,
    ...overrides,
  };
}

export function intent(startedAtMs: number): Intent {
  const stat = '175 1763765990123456789 1763765990123456789 88123 2049';
  return { purpose: 'batch', remoteName: 'a.jsonl', bytes: 175, stat, startedAtMs, serverStartedAtMs: null };
}

export function garbage(path: MirrorPath): Garbage {
  return { path, purpose: 'batch', bytes: 175, since: 1_763_766_000, reason: 'replaced', hold: false };
}

export function rejection(message: string): Rejection {
  const stat = '0 1763765990123456789 1763765990123456789 88123 2049';
  return { stat, purpose: 'batch', rulesKey: 'batch full', rule: 'empty', message, at: 1_763_766_000 };
}

/** What a view holds, as plain data to compare. */
export function contentOf(view: ManifestView): unknown {
  return {
    files: Object.fromEntries(view.files),
    intents: Object.fromEntries(view.intents),
    garbage: Object.fromEntries(view.garbage),
    rejected: Object.fromEntries(view.rejected),
  };
}

/** The obvious implementation of merge patches, to compare with. */
export function contentAfter(changes: readonly Change[]): unknown {
  const content: Record<string, Record<string, unknown>> = {
    files: {},
    intents: {},
    garbage: {},
    rejected: {},
  };
  for (const change of changes) {
    for (const [section, patch] of Object.entries(change)) {
      Object.assign((content[section] ??= {}), patch);
    }
  }
  return Object.fromEntries(
    Object.entries(content).map(([section, values]) => [
      section,
      Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)),
    ]),
  );
}

/** The n-th change of a life of a mirror: uploads begin, end, are replaced, deleted and refused on few paths. */
export function changeNumber(n: number, random: () => number): Change {
  const path = `batch/${Math.floor(random() * 6)} "quoted": {\n`;
  const id = `file-${n}`;
  switch (Math.floor(random() * 5)) {
    case 0:
      return { intents: { [path]: intent(1_000 + n) } };
    case 1:
      return { files: { [path]: entry(id) }, intents: { [path]: null } };
    case 2:
      return { files: { [path]: entry(id) }, garbage: { [`file-${n - 1}`]: garbage(path) } };
    case 3:
      return { files: { [path]: null }, garbage: { [`file-${n - 2}`]: null } };
    default:
      return { rejected: { [path]: random() < 0.5 ? rejection(`refused ${n}`) : null } };
  }
}

/** mulberry32: small, seeded, good enough to choose. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
