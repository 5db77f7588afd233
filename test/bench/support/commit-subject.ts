/**
 * What `record.ts` measures, as a process of its own, so that the heap is that of a mirror and nothing else:
 * `commit-subject.ts SMALL_STATE_DIR LARGE_STATE_DIR COMMITS`. Prints one JSON object.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ManifestStore, openManifest } from '../../../src/manifest/manifest-store.ts';
import type { Entry } from '../../../src/contract/types.ts';
import { systemClock } from '../../../src/service/system-clock.ts';

/** What one run of this program found. Milliseconds. */
export interface CommitTimes {
  readonly smallMs: readonly number[];
  readonly largeMs: readonly number[];
  readonly snapshotMs: number;
  /** The longest time in which the event loop could do nothing else while the snapshot was written. */
  readonly longestBlockMs: number;
}

const [smallDir = '', largeDir = '', commits = '0'] = process.argv.slice(2);

async function open(stateDir: string): Promise<ManifestStore> {
  return await openManifest({ stateDir, clock: systemClock, onWarning: (message) => console.error(message) });
}

/** Changes one entry durably; returns how long that took. */
async function commitOne(
  manifest: ManifestStore,
  [path, entry]: readonly [string, Entry],
  n: number,
): Promise<number> {
  const startedMs = performance.now();
  await manifest.commit({ files: { [path]: { ...entry, uploadedAt: entry.uploadedAt + n } } });
  return performance.now() - startedMs;
}

function firstOf(manifest: ManifestStore): readonly [string, Entry] {
  const [first] = manifest.files;
  if (first === undefined) throw new TypeError('the manifest is empty');
  return first;
}

const small = await open(smallDir);
const large = await open(largeDir);
const ofSmall = firstOf(small);
const ofLarge = firstOf(large);
const smallMs: number[] = [];
const largeMs: number[] = [];
for (let n = 0; n < Number(commits); n++) {
  smallMs.push(await commitOne(small, ofSmall, n));
  largeMs.push(await commitOne(large, ofLarge, n));
}
// Garbage of the loading is not what a mirror that has run for a while still has.
await sleep(500);
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
// Only what happens after its first tick is seen by it.
await sleep(20);
const startedMs = performance.now();
await large.snapshotNow();
const snapshotMs = performance.now() - startedMs;
await sleep(5);
delay.disable();
const times: CommitTimes = { smallMs, largeMs, snapshotMs, longestBlockMs: delay.max / 1e6 };
await small.close();
await large.close();
console.log(JSON.stringify(times));
