import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { Clock } from '../../src/contract/ports.ts';
import type { FolderRules, ScanItem } from '../../src/contract/types.ts';
import type { ContentChecks } from '../../src/contract/content-check.ts';
import type { OpenWriters } from '../../src/local/open-writers.ts';

export const FOLDERS = ['batch', 'fine-tune', 'vision'];

/** A temporary directory that is removed when the test ends. */
export function temporaryDirectory(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'files-mirror-local-')));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(ms, signal) {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  },
};

/** A clock that stands still until it is moved; its sleeps are over at once, having moved it. */
export class ManualClock implements Clock {
  wall: number;
  monotonic = 1000;

  constructor(wallMs: number) {
    this.wall = wallMs;
  }

  wallMs(): number {
    return this.wall;
  }

  monotonicMs(): number {
    return this.monotonic;
  }

  pass(ms: number): void {
    this.wall += ms;
    this.monotonic += ms;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.pass(ms);
  }
}

export const noWriters: OpenWriters = { of: async () => null };

/** Counts the bytes it saw, and refuses what its name or its first byte asks for. */
export const plainChecks: ContentChecks = {
  createCheck(_rules, fileName, sizeBytes) {
    let seen = 0;
    let first: number | undefined;
    return {
      problem: fileName.endsWith('.bad') ? { rule: 'extension', message: 'bad name' } : null,
      write(chunk) {
        first ??= chunk[0];
        seen += chunk.length;
      },
      end: () => ({
        problem: first === 0x21 ? { rule: 'content', message: 'starts with !' } : null,
        warnings: [`saw ${seen} of ${sizeBytes}`],
      }),
      drop: () => undefined,
    };
  },
  needsFullRead: (rules) => rules.check === 'full',
};

export const batchRules: FolderRules = {
  folder: 'batch',
  purpose: 'batch',
  expiresAfterSeconds: null,
  onExpiry: 'forget',
  renewBeforeSeconds: 0,
  check: 'full',
  priority: 0,
  deletes: 'mirror',
  maxBytes: 1e9,
};

export async function collect(items: AsyncIterable<readonly ScanItem[]>): Promise<ScanItem[]> {
  const all: ScanItem[] = [];
  for await (const batch of items) all.push(...batch);
  return all.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}
