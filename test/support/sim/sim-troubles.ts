import type { Project } from './sim-account.ts';
import type { SimClock } from './sim-clock.ts';
import type { RootState } from './disk-nodes.ts';
import type { SimDisk } from './sim-disk.ts';
import type { SimStateDir } from './sim-manifest.ts';
import type { LifeKnobs } from './sim-profile.ts';
import type { SimRandom } from './sim-random.ts';
import type { SimServer } from './sim-server.ts';
import type { SimTrace } from './sim-trace.ts';

export interface TroubleTools {
  readonly clock: SimClock;
  readonly disk: SimDisk;
  readonly server: SimServer;
  readonly stateDir: SimStateDir;
  readonly knobs: LifeKnobs;
  readonly random: SimRandom;
  readonly trace: SimTrace;
  /** An orderly stop and a new start. */
  readonly restart: () => void;
  /** The same, with a new key: of this project if there is anything by which to tell. */
  readonly exchangeKey: (project: Project) => void;
  /** The key that the recorded ids are of is put back. */
  readonly restoreKey: () => void;
}

const dayMs = 86_400_000;
/** Longer than a refused request, what was granted before it, and the probe after it take together. */
const LEAST_REFUSAL_MS = 10_000;
const rootTroubles: readonly Exclude<RootState, 'mounted'>[] = [
  'missing',
  'unreadable',
  'unmounted',
  'swapped',
  'emptied',
];

/** What befalls the machine and the account during the active part of a life. All of it ends with `end`. */
export class SimTroubles {
  readonly #tools: TroubleTools;
  #isOver = false;

  constructor(tools: TroubleTools) {
    this.#tools = tools;
  }

  /** Plans them all. */
  start(): void {
    const { knobs, random, server } = this.#tools;
    const { profile } = knobs;
    this.#plan(profile.clockJumps, () => this.#jumpClock());
    this.#plan(profile.rootAways, () => this.#takeRootAway());
    this.#plan(profile.restarts, () => this.#tools.restart());
    this.#plan(profile.keyExchanges, () => this.#exchangeKey());
    this.#plan(profile.episodes, () => this.#beginEpisode());
    this.#plan(profile.outOfBandDeletes, () => this.#deleteOutOfBand());
    for (let count = random.int(0, profile.foreignFiles); count > 0; count -= 1) server.addForeign(true);
    this.#plan(profile.foreignFiles, () => server.addForeign(false));
  }

  /** Everything is as it should be again. */
  end(): void {
    const { disk, server, stateDir } = this.#tools;
    this.#isOver = true;
    server.calmDown();
    stateDir.setFull(false);
    this.#tools.restoreKey();
    if (disk.root !== 'mounted') this.#bringRootBack();
  }

  #plan(most: number, trouble: () => void): void {
    const { knobs, random } = this.#tools;
    for (let count = random.int(0, most); count > 0; count -= 1) {
      this.#later(random.int(1_000, knobs.activeMs), trouble);
    }
  }

  #later(delayMs: number, action: () => void): void {
    this.#tools.clock.schedule(delayMs, () => {
      if (!this.#isOver) action();
    });
  }

  #jumpClock(): void {
    const { clock, random, trace } = this.#tools;
    const byMs = random.pick([-dayMs, dayMs, -3_600_000, 3_600_000, -5_000, 5_000]);
    trace.add('clock', 'jumps by', byMs / 1000, 's');
    clock.jumpWall(byMs);
  }

  #takeRootAway(): void {
    const { disk, random, trace } = this.#tools;
    if (disk.root !== 'mounted') return;
    disk.takeAway(random.pick(rootTroubles));
    trace.add('disk', 'the root is', disk.root);
    this.#later(random.int(2_000, 120_000), () => this.#bringRootBack());
  }

  #bringRootBack(): void {
    const { disk, knobs, random, trace } = this.#tools;
    disk.bringBack(random.chance(knobs.profile.newDevices));
    trace.add('disk', 'the root is back, device', disk.home.device);
  }

  #beginEpisode(): void {
    const { random, server, stateDir, trace } = this.#tools;
    const kind = random.pick(['auth', 'refusals', 'quota', 'down', 'no-deletes', 'full'] as const);
    const isLong = random.chance(0.2);
    // One that begins and ends while a single request is on its way is a refusal of that one, for all that can be told.
    const leastMs = kind === 'refusals' || kind === 'auth' ? LEAST_REFUSAL_MS : 1_000;
    const forMs = isLong ? random.int(60_000, 600_000) : random.int(leastMs, 60_000);
    if (kind === 'full') {
      trace.add('state', 'ENOSPC for', forMs, 'ms');
      stateDir.setFull(true);
      this.#later(forMs, () => stateDir.setFull(false));
    } else if (server.episode === 'none') {
      server.begin(kind);
      this.#later(forMs, () => server.begin('none'));
    }
  }

  #exchangeKey(): void {
    const { exchangeKey, random, restoreKey } = this.#tools;
    exchangeKey(random.pick(['home', 'other']));
    if (random.chance(0.7)) this.#later(random.int(20_000, 200_000), restoreKey);
  }

  #deleteOutOfBand(): void {
    const { random, server } = this.#tools;
    const files = server.all().filter((file) => file.madeBy === 'mirror' && server.isLive(file));
    if (files.length > 0) server.remove(random.pick(files).id, 'others');
  }
}
