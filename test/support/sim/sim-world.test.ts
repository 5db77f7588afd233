import { describe, expect, it } from 'vitest';
import { Fault } from '../../../src/contract/faults.ts';
import { folderOf, remoteNameOf } from '../../../src/contract/mirror-path.ts';
import type { FolderRules, MirrorPath } from '../../../src/contract/types.ts';
import { renderLife } from './sim-life.ts';
import type { SimPorts, StartEngine } from './sim-life.ts';
import { calmProfile, chaosProfile } from './sim-profile.ts';
import type { LifeProfile } from './sim-profile.ts';
import { runLife } from './sim-world.ts';

/** What the naive engine leaves out. Each is a bug that the world must find. */
type Omission = 'intent' | 'root' | 'window' | 'stop' | 'hash' | 'successor';

/** The simplest engine that mirrors a sober world: one pass after the other, and blind repetition of what fails. */
class NaiveEngine {
  readonly #ports: SimPorts;
  readonly #omits: Omission | null;
  readonly #abort = new AbortController();
  readonly #attemptsMs: number[] = [];
  readonly #loop: Promise<void>;

  constructor(ports: SimPorts, omits: Omission | null) {
    this.#ports = ports;
    this.#omits = omits;
    this.#loop = this.#run();
  }

  approve(): void {}

  async stop(): Promise<void> {
    if (this.#omits === 'stop') return;
    this.#abort.abort(new Error('stopping'));
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { clock } = this.#ports;
    while (!this.#abort.signal.aborted) {
      try {
        await this.#pass();
        await clock.sleep(2_000, this.#abort.signal);
      } catch (error) {
        if (!this.#abort.signal.aborted && !(error instanceof Fault)) throw error;
        await clock.sleep(1_000);
      }
    }
  }

  async #pass(): Promise<void> {
    const { api, local, manifest } = this.#ports;
    const root = await local.lookRoot(manifest.mirrorId);
    if (root.kind === 'unmarked' && manifest.files.size === 0) await local.markRoot(manifest.mirrorId);
    else if (root.kind !== 'ok' && this.#omits !== 'root') return;
    const paths = new Set(manifest.files.keys());
    for await (const items of local.scan(null, this.#abort.signal)) {
      for (const item of items) if (item.kind === 'file') paths.add(item.path);
    }
    for (const path of paths) await this.#step(path);
    for (const id of manifest.garbage.keys()) {
      await api.delete(id, this.#abort.signal);
      await manifest.commit({ garbage: { [id]: null } });
    }
  }

  async #step(path: MirrorPath): Promise<void> {
    const { local, manifest, settings } = this.#ports;
    const rules = settings.folders.find(({ folder }) => folder === folderOf(path));
    const entry = manifest.files.get(path);
    const look = await local.look(path);
    const isGone = look.kind === 'absent' || (this.#omits === 'root' && look.kind === 'unknown');
    if (isGone && entry !== undefined && rules?.deletes === 'mirror') {
      const garbage = {
        path,
        purpose: entry.purpose,
        bytes: entry.bytes,
        since: 0,
        reason: 'deleted',
        hold: false,
      } as const;
      await manifest.commit({ files: { [path]: null }, garbage: { [entry.id]: garbage } });
    }
    if (look.kind !== 'file' || rules === undefined || entry?.stat === look.stat) return;
    if (this.#omits === 'hash' && entry?.bytes === look.sizeBytes) return;
    const { sha256, problem } = await local.inspect(path, look.stat, rules, this.#abort.signal);
    if (problem !== null) return;
    if (entry?.sha256 === sha256) await manifest.commit({ files: { [path]: { ...entry, stat: look.stat } } });
    else await this.#upload(path, look.stat, look.sizeBytes, rules);
  }

  async #upload(path: MirrorPath, stat: string, bytes: number, rules: FolderRules): Promise<void> {
    const { api, clock, local, manifest, settings } = this.#ports;
    const { purpose, expiresAfterSeconds } = rules;
    const remoteName = remoteNameOf(path);
    const before = manifest.files.get(path);
    if (this.#omits !== 'window') {
      while (this.#attemptsMs.length >= settings.uploadsPerMinute) {
        await clock.sleep((this.#attemptsMs.shift() ?? 0) + 66_000 - clock.monotonicMs(), this.#abort.signal);
      }
    }
    const intent = { purpose, remoteName, bytes, stat, startedAtMs: clock.wallMs(), serverStartedAtMs: null };
    const version = await local.open(path, stat);
    if (this.#omits !== 'intent') await manifest.commit({ intents: { [path]: intent } });
    if (this.#omits === 'successor' && before !== undefined) await api.delete(before.id, this.#abort.signal);
    try {
      const request = {
        purpose,
        remoteName,
        sizeBytes: bytes,
        expiresAfterSeconds,
        body: () => version.chunks(),
      };
      const { id, createdAt, expiresAt } = await api.upload(request, this.#abort.signal);
      const entry = {
        id,
        purpose,
        remoteName,
        bytes,
        sha256: version.sha256(),
        stat,
        uploadedAt: 0,
        createdAt: createdAt ?? 0,
        expiresAt,
      };
      const replaced = { path, purpose, bytes, since: 0, reason: 'replaced', hold: false } as const;
      await manifest.commit({
        files: { [path]: entry },
        intents: { [path]: null },
        ...(before === undefined ? {} : { garbage: { [before.id]: replaced } }),
      });
    } catch (error) {
      if (error instanceof Fault && error.outcome === 'refused')
        await manifest.commit({ intents: { [path]: null } });
      throw error;
    } finally {
      this.#attemptsMs.push(clock.monotonicMs());
      await version.close();
    }
  }
}

const naive =
  (omits: Omission | null = null): StartEngine =>
  (ports) =>
    new NaiveEngine(ports, omits);

/** The violations of the first life that has one like this; of all, when none has. */
async function violationsLike(
  finding: RegExp,
  omits: Omission | null,
  profile: LifeProfile,
): Promise<string> {
  const found: string[] = [];
  for (let seed = 1; seed <= 20; seed += 1) {
    found.push(...(await runLife(seed, naive(omits), profile)).violations);
    if (finding.test(found.join('\n'))) break;
  }
  return found.join('\n');
}

describe('a life', () => {
  it('ends well for a naive engine as long as nothing goes wrong', async () => {
    let uploads = 0;
    let deletes = 0;
    for (let seed = 1; seed <= 25; seed += 1) {
      const life = await runLife(seed, naive(), calmProfile);
      if (life.violations.length > 0) throw new Error(renderLife(life));
      uploads += life.stats.uploads;
      deletes += life.stats.deletes;
    }
    expect(uploads).toBeGreaterThan(300);
    expect(deletes).toBeGreaterThan(100);
  });

  it('is the same for the same seed, and another for another', async () => {
    const [one, again, other] = [
      await runLife(7, naive(), chaosProfile),
      await runLife(7, naive(), chaosProfile),
      await runLife(8, naive(), chaosProfile),
    ];
    expect(again.trace()).toEqual(one.trace());
    expect(again.stats).toEqual(one.stats);
    expect(again.violations).toEqual(one.violations);
    expect(other.trace()).not.toEqual(one.trace());
  });
});

const quick: LifeProfile = { ...calmProfile, convergeMs: 300_000, holdMs: 60_000 };

describe('the oracles', () => {
  const cases: readonly [what: string, omits: Omission | null, profile: LifeProfile, finding: RegExp][] = [
    [
      'an upload that was stored and is sent again',
      null,
      { ...quick, serverFaults: 0.9 },
      /is owned by nobody/,
    ],
    [
      'an upload that a crash forgot',
      null,
      { ...quick, crashes: 5 },
      /is owned by nobody|intent of .* still open/,
    ],
    ['deletes while the root is away', 'root', { ...quick, rootAways: 2 }, /DELETE of .* while the root is/],
    ['too many uploads in a minute', 'window', quick, /uploads arrived within 60 s/],
    ['an upload without an intent', 'intent', quick, /without a durable intent/],
    ['a change of the same size that was not seen', 'hash', quick, /is \(.*\) here and \(.*\) there/],
    ['an old version deleted before its successor', 'successor', quick, /although its file .* is there/],
    ['work after stop', 'stop', quick, /port calls after stop\(\)/],
  ];
  for (const [what, omits, profile, finding] of cases) {
    it(`find ${what}`, async () => {
      expect(await violationsLike(finding, omits, profile)).toMatch(finding);
    });
  }
});
