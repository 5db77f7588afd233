import type { FolderRules, ReplyField } from '../../../src/contract/types.ts';
import { drawHabits, plainHabits } from './sim-listing.ts';
import type { ListHabits } from './sim-listing.ts';
import type { SimRandom } from './sim-random.ts';

export type Range = readonly [min: number, max: number];

/** What a kind of life may contain. Each life draws its own `LifeKnobs` from it. All probabilities are 0–1. */
export interface LifeProfile {
  /** How long the writers and the troubles go on. */
  readonly activeMs: Range;
  /** How long after that the mirror may take until everything is right. */
  readonly convergeMs: number;
  /** How long it must then stay right by itself. */
  readonly holdMs: number;
  readonly maxSteps: number;
  /** Mean time between two acts of a writer. */
  readonly writeEveryMs: Range;
  readonly folders: Range;
  /** Most requests of a life that may fail, as a share; each life draws between 0 and this. */
  readonly serverFaults: number;
  readonly localFaults: number;
  /** Lost, doubled and late watcher hints: the share of each, at most. */
  readonly hintFaults: number;
  /** A stored file is missing from lists and lookups for at most this long. */
  readonly listLagMs: number;
  /** A list page may show the state of at most this long ago. */
  readonly staleMs: number;
  /** A request whose client has given up or died may still take effect for at most this long. */
  readonly lateEffectMs: number;
  /** Most of each per life. */
  readonly crashes: number;
  readonly restarts: number;
  /** Restarts with another key, of the same project or of another one. */
  readonly keyExchanges: number;
  readonly clockJumps: number;
  readonly rootAways: number;
  readonly episodes: number;
  readonly outOfBandDeletes: number;
  readonly foreignFiles: number;
  /** Files expire within the life: share of lives. */
  readonly expiry: number;
  /** Replies that contradict what was sent: share of the faulty ones. */
  readonly contradictions: number;
  /** The server, and the rules before it, refuse some contents for good: share of lives. */
  readonly refusals: number;
  /** The root comes back under another device number: share of the times it was away. */
  readonly newDevices: number;
  /** The server's clock is at most this far from the local one at the start. */
  readonly skewMs: number;
  /** The clock that `created_at` comes from is at most this far from the one of the `Date` headers. */
  readonly createdSkewMs: number;
  /** In some lives, some files show up only this late, at most. */
  readonly longLagMs: number;
  /** Share of lives whose server never says some of the fields of a file. */
  readonly omissions: number;
  /** Share of lives whose server rewrites a field of every file, and a person has said so. */
  readonly rewrites: number;
  /** Share of lives whose server lists in a way of its own. */
  readonly listHabits: number;
  /** Demand promise 5 even where the wall clock was set between an upload and the restart after it. */
  readonly windowSurvivesJumps: boolean;
}

/** Nothing goes wrong: a sober disk, a sober server. What fails here fails always. */
export const calmProfile: LifeProfile = {
  activeMs: [60_000, 180_000],
  convergeMs: 1_800_000,
  holdMs: 300_000,
  maxSteps: 200_000,
  writeEveryMs: [500, 5_000],
  folders: [2, 6],
  serverFaults: 0,
  localFaults: 0,
  hintFaults: 0,
  listLagMs: 0,
  staleMs: 0,
  lateEffectMs: 0,
  crashes: 0,
  restarts: 0,
  keyExchanges: 0,
  clockJumps: 0,
  rootAways: 0,
  episodes: 0,
  outOfBandDeletes: 0,
  foreignFiles: 3,
  expiry: 0,
  contradictions: 0,
  refusals: 0,
  newDevices: 0,
  skewMs: 5 * 3_600_000,
  createdSkewMs: 0,
  longLagMs: 0,
  omissions: 0,
  rewrites: 0,
  listHabits: 0,
  windowSurvivesJumps: false,
};

/** Everything that can go wrong does, in most lives together. */
export const chaosProfile: LifeProfile = {
  ...calmProfile,
  activeMs: [60_000, 420_000],
  convergeMs: 4 * 3_600_000,
  holdMs: 900_000,
  maxSteps: 400_000,
  writeEveryMs: [300, 8_000],
  serverFaults: 0.4,
  localFaults: 0.02,
  hintFaults: 0.3,
  listLagMs: 10_000,
  staleMs: 5_000,
  lateEffectMs: 5_000,
  crashes: 5,
  restarts: 1,
  keyExchanges: 2,
  clockJumps: 2,
  rootAways: 2,
  episodes: 3,
  outOfBandDeletes: 2,
  foreignFiles: 5,
  expiry: 0.15,
  contradictions: 0.1,
  refusals: 0.3,
  newDevices: 0.2,
  createdSkewMs: 30_000,
  longLagMs: 285_000,
  omissions: 0.15,
  rewrites: 0.1,
  listHabits: 0.4,
};

/** What the engine is configured with. */
export interface SimSettings {
  readonly folders: readonly FolderRules[];
  readonly uploadsPerMinute: number;
  readonly concurrentUploads: number;
  readonly concurrentDeletes: number;
  readonly graceMs: number;
  readonly maxDeleteFraction: number;
  readonly minDeleteCount: number;
  readonly rescanMs: number;
  readonly verifyMs: number;
  /** How long an upload of unknown outcome is looked for: as long as its file may be missing from a listing. */
  readonly lookMs: number;
  readonly trustReply: ReadonlySet<ReplyField>;
  /** Absent: no limit. */
  readonly storageBytes?: number;
}

/** One life's own numbers. */
export interface LifeKnobs {
  readonly settings: SimSettings;
  readonly settleMs: number;
  readonly activeMs: number;
  readonly writeEveryMs: number;
  readonly serverFaults: number;
  readonly localFaults: number;
  readonly hintFaults: number;
  /** Server clock minus the local wall clock at the start. */
  readonly skewMs: number;
  /** The clock of `created_at` minus that of the `Date` headers. */
  readonly createdSkewMs: number;
  /** A stored file is missing from lists and lookups for at most this long. */
  readonly listLagMs: number;
  /** What the server never says of a file. */
  readonly omits: readonly OmittedField[];
  /** What the server changes in every file that it describes. */
  readonly rewrites: RewrittenField | null;
  readonly listing: ListHabits;
  /** Lifetime that the server gives a file on which no expiry was asked. */
  readonly serverLifetimeSeconds: number | null;
  /** The purposes that `serverLifetimeSeconds` is for; null: all. */
  readonly expiringPurposes: readonly string[] | null;
  /** Whether the server pays no heed to the expiry that is asked for. */
  readonly ignoresExpiry: boolean;
  /** A client gives up on a silent server after this. */
  readonly timeoutMs: number;
  /** Whether files held open by other processes can be seen. */
  readonly seesWriters: boolean;
  /** Whether the rules need the content: then files whose first byte is below 16 are refused under `check: full`. */
  readonly contentRule: boolean;
  /** Whether the server refuses contents whose hash starts with `7`. */
  readonly serverRefuses: boolean;
  readonly profile: LifeProfile;
}

/** Fields of a file that a server may leave out. */
export type OmittedField = 'bytes' | 'purpose' | 'filename' | 'createdAt';
export type RewrittenField = 'bytes' | 'purpose' | 'filename';

/** What no server rewrites. */
export const allTrusted: ReadonlySet<ReplyField> = new Set(['bytes', 'purpose', 'filename', 'expires_at']);

const purposes = ['batch', 'fine-tune', 'user_data', 'vision', 'evals', 'assistants'];

export function drawKnobs(profile: LifeProfile, random: SimRandom): LifeKnobs {
  const between = ([min, max]: Range): number => random.int(min, max);
  const share = (most: number): number => (random.chance(0.2) ? 0 : most * random.next() ** 2);
  const expires = random.chance(profile.expiry);
  const refuses = random.chance(profile.refusals);
  const rescanMs = random.pick([60_000, 120_000, 300_000]);
  const listLagMs = random.chance(0.3) ? Math.max(profile.listLagMs, profile.longLagMs) : profile.listLagMs;
  const rewrites = random.chance(profile.rewrites)
    ? random.pick(['bytes', 'purpose', 'filename'] as const)
    : null;
  return {
    settings: {
      // Renewal is due early enough for two rescans to see it.
      folders: drawFolders(between(profile.folders), expires, (2 * rescanMs) / 1000 + 60, random),
      uploadsPerMinute: random.pick([3, 6, 10, 20, 60]),
      concurrentUploads: random.int(1, 6),
      concurrentDeletes: random.int(1, 3),
      graceMs: random.pick([0, 1_000, 10_000]),
      maxDeleteFraction: 0.5,
      minDeleteCount: random.pick([3, 10]),
      rescanMs,
      verifyMs: random.pick([300_000, 900_000]),
      lookMs: listLagMs + profile.staleMs + profile.lateEffectMs,
      trustReply: new Set([...allTrusted].filter((field) => field !== rewrites)),
    },
    settleMs: random.pick([500, 2_000, 5_000]),
    activeMs: between(profile.activeMs),
    writeEveryMs: between(profile.writeEveryMs),
    serverFaults: share(profile.serverFaults),
    localFaults: share(profile.localFaults),
    hintFaults: share(profile.hintFaults),
    skewMs: random.int(-profile.skewMs, profile.skewMs),
    createdSkewMs: random.int(-profile.createdSkewMs, profile.createdSkewMs),
    listLagMs,
    omits: random.chance(profile.omissions)
      ? random.shuffle(['bytes', 'purpose', 'filename', 'createdAt'] as const).slice(0, random.int(1, 2))
      : [],
    rewrites,
    serverLifetimeSeconds: expires ? random.int(900, 1_800) : null,
    expiringPurposes: null,
    ignoresExpiry: expires && random.chance(0.2),
    timeoutMs: random.pick([20_000, 60_000]),
    seesWriters: random.chance(0.7),
    contentRule: refuses && random.chance(0.7),
    serverRefuses: refuses,
    profile,
    listing: random.chance(profile.listHabits) ? drawHabits(random) : plainHabits,
  };
}

function drawFolders(
  count: number,
  expires: boolean,
  renewBeforeSeconds: number,
  random: SimRandom,
): FolderRules[] {
  return purposes.slice(0, count).map((purpose, index) => {
    // Two folders may feed one purpose: then names collide across folders.
    const shared = index > 0 && random.chance(0.2);
    const deletes = random.chance(0.1) ? 'keep' : 'mirror';
    return {
      folder: purpose,
      purpose: shared ? 'user_data' : purpose,
      expiresAfterSeconds: expires && random.chance(0.3) ? 3_600 : null,
      onExpiry: expires && random.chance(0.5) ? 'renew' : 'forget',
      renewBeforeSeconds,
      check: random.pick(['full', 'basic', 'off']),
      priority: random.int(0, 2) * 10,
      deletes,
      maxBytes: random.chance(0.2) ? 1_500 : 1_000_000,
    };
  });
}
