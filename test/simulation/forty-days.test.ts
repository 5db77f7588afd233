import { beforeAll, describe, expect, test } from 'vitest';
import type { FileId, FolderRules, MirrorPath } from '../../src/contract/types.ts';
import { LongWorld } from '../support/sim/long-world.ts';
import { contentOf } from '../support/sim/sim-content.ts';
import { allTrusted } from '../support/sim/sim-profile.ts';
import type { SimSettings } from '../support/sim/sim-profile.ts';
import { SimRandom } from '../support/sim/sim-random.ts';
import type { StoredFile } from '../support/sim/sim-server.ts';
import { startMirror, type MirrorEngine } from './engine.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const DAY_SECONDS = 86_400;
const DAYS = 40;
/** Files that are uploaded on the first day and expire together. */
const TWINS = 300;
const RENEWALS_A_MINUTE = 6;

const TEMPLATE: Omit<FolderRules, 'folder' | 'purpose'> = {
  expiresAfterSeconds: null,
  onExpiry: 'forget',
  renewBeforeSeconds: DAY_SECONDS,
  check: 'basic',
  priority: 0,
  deletes: 'mirror',
  maxBytes: 1_000_000,
};
const RENEWED: FolderRules = { ...TEMPLATE, folder: 'nightly', purpose: 'batch', onExpiry: 'renew' };
const FORGOTTEN: FolderRules = { ...TEMPLATE, folder: 'batch', purpose: 'batch' };
const WEEKLY: FolderRules = {
  ...TEMPLATE,
  folder: 'evals',
  purpose: 'evals',
  expiresAfterSeconds: 7 * DAY_SECONDS,
  onExpiry: 'renew',
};
const LASTING: FolderRules = { ...TEMPLATE, folder: 'user_data', purpose: 'user_data' };

const SETTINGS: SimSettings = {
  folders: [RENEWED, FORGOTTEN, WEEKLY, LASTING],
  uploadsPerMinute: 900,
  concurrentUploads: 8,
  concurrentDeletes: 4,
  graceMs: 10_000,
  maxDeleteFraction: 0.5,
  minDeleteCount: 10,
  rescanMs: 6 * HOUR_MS,
  verifyMs: DAY_MS,
  lookMs: 10_000,
  trustReply: allTrusted,
};

/** A file under the policy `forget` that nobody changes or removes, here or there. */
const UNTOUCHED = 'batch/batch-1.jsonl';

const numbered = (folder: string, count: number): MirrorPath[] =>
  Array.from({ length: count }, (_, index) => `${folder}/${folder}-${index}.jsonl`);

/** What one day left behind, for the tests to look at. */
interface Day {
  readonly problems: readonly string[];
  /** Every path whose state is `expired`, and every entry whose time is over: they must be the same. */
  readonly shown: readonly MirrorPath[];
  readonly over: readonly MirrorPath[];
  readonly nextExpiry: { readonly path: MirrorPath; readonly isToCome: boolean } | null;
}

/** Forty days in a life: a mirror of batch files, weekly evals and lasting documents, its users, and its neighbours. */
class FortyDays {
  readonly world = new LongWorld<MirrorEngine>({
    seed: 40,
    settings: SETTINGS,
    startEngine: startMirror,
    serverLifetimeSeconds: 30 * DAY_SECONDS,
    expiringPurposes: ['batch'],
    skewMs: HOUR_MS,
  });
  readonly days: Day[] = [];
  /** Ids whose entries are to be dropped after their files were removed on day 34. */
  readonly dropped = new Map<MirrorPath, FileId>();
  readonly #random = new SimRandom(4_000);
  #contents = 0;

  async live(): Promise<void> {
    for (const { folder } of SETTINGS.folders) this.world.disk.mkdir(folder);
    for (const path of [
      ...numbered('nightly', TWINS),
      ...numbered('batch', 40),
      ...numbered('evals', 20),
      ...numbered('user_data', 20),
    ]) {
      this.#write(path);
    }
    this.world.start();
    await this.world.pass(HOUR_MS / 2, 0);
    // A day goes from noon to noon, so that the verification of the night lies between its acts and its end.
    await this.world.pass(11.5 * HOUR_MS, 600_000);
    for (let day = 1; day <= DAYS; day += 1) {
      // Not at noon, when the days before and after are looked at: what is uploaded now also expires at this time.
      await this.world.pass(120_000, 60_000);
      await this.#act(day);
      await this.world.pass(60_000, 1_000);
      // Around the expiry of the many, minutes matter.
      await this.world.pass(DAY_MS - 180_000, day >= 28 && day <= 30 ? 60_000 : 600_000);
      this.days.push(await this.#look());
    }
  }

  async #act(day: number): Promise<void> {
    const { disk } = this.world;
    if (day % 3 === 0) this.#write(`batch/batch-${day % 40}.jsonl`);
    if (day % 4 === 0) this.#write(`user_data/new-${day}.jsonl`);
    if (day % 9 === 0) disk.remove(`user_data/user_data-${day / 9}.jsonl`);
    if (day % 5 === 0) this.#deleteOutOfBand();
    if (day === 11) await this.world.restart();
    if (day === 12) this.#reconfigure({ ...WEEKLY, onExpiry: 'forget' });
    if (day === 22) this.#reconfigure(WEEKLY);
    if (day === 34) this.#removeSomeExpired();
    if (day === 37) this.#reconfigure({ ...FORGOTTEN, onExpiry: 'renew' });
  }

  async #look(): Promise<Day> {
    const problems = await this.world.problems();
    const { mirror } = this.world.engine;
    const nowSeconds = Math.floor(this.world.server.wallMs() / 1000);
    const { nextExpiry } = mirror.status();
    const isOver = (expiresAt: number | null): boolean => expiresAt !== null && expiresAt <= nowSeconds;
    return {
      problems,
      shown: [...mirror.reports()].filter(({ state }) => state === 'expired').map(({ path }) => path),
      over: [...this.world.manifest.files]
        .filter(([, entry]) => isOver(entry.expiresAt))
        .map(([path]) => path),
      nextExpiry: nextExpiry && { path: nextExpiry.path, isToCome: nextExpiry.expiresAt > nowSeconds },
    };
  }

  #write(path: MirrorPath): void {
    this.#contents += 1;
    this.world.disk.write(path, contentOf(this.#contents, 200 + (this.#contents % 50)));
  }

  #deleteOutOfBand(): void {
    const live = [...this.world.manifest.files]
      .filter(([path]) => path !== UNTOUCHED)
      .map(([, { id }]) => id)
      .filter((id) => this.world.server.find(id, this.world.clock.monotonicMs()) !== null);
    for (let count = 0; count < 3; count += 1) this.world.server.remove(this.#random.pick(live), 'others');
  }

  #reconfigure(rules: FolderRules): void {
    const folders = this.world.settings.folders.map((each) => (each.folder === rules.folder ? rules : each));
    this.world.settings = { ...this.world.settings, folders };
    this.world.engine.reconfigure(this.world.settings);
  }

  #removeSomeExpired(): void {
    const expired =
      this.days
        .at(-1)
        ?.shown.filter((path) => path.startsWith('batch/') && path !== UNTOUCHED)
        .slice(0, 8) ?? [];
    for (const path of expired) {
      this.dropped.set(path, this.world.manifest.files.get(path)?.id ?? '');
      this.world.disk.remove(path);
    }
  }

  /** The remote versions of a path in the order in which they were stored. File names are unique here. */
  versionsOf(path: MirrorPath): readonly StoredFile[] {
    const name = path.slice(path.lastIndexOf('/') + 1);
    return this.world.server.all().filter(({ filename }) => filename === name);
  }

  day(number: number): Day {
    const day = this.days[number - 1];
    if (day === undefined) throw new RangeError(`no day ${number}`);
    return day;
  }
}

describe('forty days', () => {
  const life = new FortyDays();
  beforeAll(() => life.live(), 60_000);

  test('every evening all is right: what must be mirrored is, and nothing else is ours', () => {
    expect(life.days).toHaveLength(DAYS);
    for (const [index, { problems }] of life.days.entries()) expect(problems, `day ${index + 1}`).toEqual([]);
  });

  test('what has expired is shown so, and only that, every day', () => {
    for (const [index, { shown, over }] of life.days.entries()) {
      expect(new Set(shown), `day ${index + 1}`).toEqual(new Set(over));
    }
  });

  test('the next expiry is one that is still to come', () => {
    for (const [index, { nextExpiry }] of life.days.entries()) {
      expect(nextExpiry, `day ${index + 1}`).toMatchObject({ isToCome: true });
    }
  });

  test('under `renew` there is a live remote file at every moment', () => {
    for (const path of numbered('nightly', TWINS)) {
      const versions = life.versionsOf(path);
      expect(versions.length, `of ${path}`).toBeGreaterThanOrEqual(2);
      for (const [index, version] of versions.entries()) {
        const next = versions[index + 1];
        if (next === undefined || version.gone?.by === 'others') continue;
        expect(life.world.server.isLive(version, next.storedAtMs), `${path} when it was renewed`).toBe(true);
      }
    }
  });

  test(`${TWINS} files that expire together are renewed once each, at most ${RENEWALS_A_MINUTE} in any minute`, () => {
    const renewals = numbered('nightly', TWINS).flatMap((path) => {
      const versions = life.versionsOf(path);
      if (versions.some(({ gone }) => gone?.by === 'others')) return [];
      expect(versions.length, `of ${path}`).toBe(2);
      return versions.slice(1).map(({ storedAtMs }) => storedAtMs);
    });
    expect(renewals.length).toBeGreaterThan(TWINS - 30);
    renewals.sort((a, b) => a - b);
    const inMinuteFrom = (fromMs: number): number =>
      renewals.filter((atMs) => atMs >= fromMs && atMs < fromMs + 60_000).length;
    expect(Math.max(...renewals.map(inMinuteFrom))).toBeLessThanOrEqual(RENEWALS_A_MINUTE);
    // Spread over half of the lead time, within the day before the first would have gone.
    expect((renewals.at(-1) ?? 0) - (renewals[0] ?? 0)).toBeGreaterThan(10 * HOUR_MS);
    expect(renewals[0]).toBeGreaterThanOrEqual(29 * DAY_MS - HOUR_MS);
  });

  test('under `forget` an expired file stays away, its entry stays, and nothing is asked of the API for it', () => {
    expect(life.day(29).shown).toEqual([]);
    expect(life.day(31).shown).toContain(UNTOUCHED);
    expect(life.day(36).shown).toContain(UNTOUCHED);
    const versions = life.versionsOf(UNTOUCHED);
    expect(versions).toHaveLength(2);
    expect(versions[0]?.gone).toBeNull();
    // Its successor came with the policy `renew`, on day 37.
    expect(versions[1]?.storedAtMs).toBeGreaterThan(36 * DAY_MS);
  });

  test('an expired entry is dropped when its local file is removed, after the API agreed, and without a DELETE', () => {
    expect(life.dropped.size).toBe(8);
    for (const [path, id] of life.dropped) {
      expect(life.day(33).shown).toContain(path);
      expect(life.day(34).shown).not.toContain(path);
      expect(life.world.manifest.files.has(path), `of ${path}`).toBe(false);
      expect(life.world.retrieved, `of ${path}`).toContain(id);
      expect(life.world.deleted, `of ${path}`).not.toContain(id);
    }
  });

  test('a policy that changes takes effect: forgotten files expire, renewed ones come back', () => {
    const weekly = numbered('evals', 20);
    expect(life.day(12).shown).toEqual([]);
    expect(new Set(life.day(21).shown)).toEqual(new Set(weekly));
    expect(life.day(22).shown).toEqual([]);
    expect(life.day(36).shown.length).toBeGreaterThan(0);
    expect(life.day(37).shown).toEqual([]);
  });

  test('files that do not expire are uploaded once', () => {
    for (const path of numbered('user_data', 20)) {
      const versions = life.versionsOf(path);
      const lost = versions.filter(({ gone }) => gone?.by === 'others').length;
      expect(versions, `of ${path}`).toHaveLength(1 + lost);
    }
  });
});
