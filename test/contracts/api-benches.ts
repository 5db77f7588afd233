import { onTestFinished } from 'vitest';
import type { FaultAct } from '../support/fault-injection.ts';
import { startEmulator } from '../support/faulty-emulator.ts';
import type { FilesApi } from '../../src/contract/ports.ts';
import { clientOf } from '../remote/wire.ts';
import {
  badRequest,
  forbidden,
  htmlWithSuccess,
  rateLimited,
  serverError,
  storageQuotaFull,
  unauthorized,
} from '../support/fault-presets.ts';
import { rulesOf } from '../support/folder-rules.ts';
import { SafetyMonitor } from '../support/sim/safety.ts';
import { calmSettings } from '../support/sim/calm-settings.ts';
import { SimApi } from '../support/sim/sim-api.ts';
import { SimClock } from '../support/sim/sim-clock.ts';
import { SimDisk } from '../support/sim/sim-disk.ts';
import type { PlainFate, UploadFate } from '../support/sim/sim-fates.ts';
import { SimStateDir } from '../support/sim/sim-manifest.ts';
import { Incarnation } from '../support/sim/sim-process.ts';
import { calmProfile, drawKnobs } from '../support/sim/sim-profile.ts';
import { SimRandom } from '../support/sim/sim-random.ts';
import { SimServer, type ServerEpisode } from '../support/sim/sim-server.ts';
import { SimTrace } from '../support/sim/sim-trace.ts';

/** What goes wrong with a request. `lost` and `done` say what the server did, which its client cannot see. */
export type Trouble =
  | 'no connection'
  | 'rate limited'
  | 'key refused'
  | 'request refused'
  | 'error, lost'
  | 'error, done'
  | 'reset, lost'
  | 'reset, done'
  | 'silence, lost'
  | 'silence, done'
  | 'no JSON'
  /** An upload alone. */
  | 'reset in the body'
  | 'quota exceeded'
  | 'conflict after the body'
  /** Any but an upload. */
  | 'forbidden'
  | 'conflict';

/** A server, the way to it, and what is behind its counter. */
export interface ApiBench {
  readonly api: FilesApi;
  /** By the server's clock, unix milliseconds. */
  serverMs(): number;
  /** Every request meets this from now on. */
  befall(trouble: Trouble): Promise<void>;
  /** Everything that is stored, oldest first. */
  stored(): readonly { readonly id: string; readonly purpose: string; readonly filename: string }[];
  contentOf(id: string): Promise<Uint8Array | null>;
  /** Somebody else's file. */
  add(purpose: string, filename: string): Promise<void>;
  /** Lets time pass until the promise is settled, and gives what it gives. */
  end<T>(promise: Promise<T>): Promise<T>;
  pass(ms: number): Promise<void>;
  /** Does it when what was sent until now has arrived. */
  soon(act: () => void): void;
}

const skewMs = 3_600_000;

const acts: Record<Exclude<Trouble, 'no connection'>, FaultAct> = {
  'rate limited': rateLimited({ seconds: 7 }),
  'key refused': unauthorized(),
  'request refused': badRequest('a header is missing'),
  'error, lost': serverError('body'),
  'error, done': serverError('handled'),
  'reset, lost': { kind: 'reset', at: 'body' },
  'reset, done': { kind: 'reset', at: 'handled' },
  'silence, lost': { kind: 'hang', at: 'body' },
  'silence, done': { kind: 'hang', at: 'handled' },
  'no JSON': htmlWithSuccess('handled'),
  'reset in the body': { kind: 'reset', at: { afterFraction: 0.5 } },
  'quota exceeded': storageQuotaFull(),
  'conflict after the body': { kind: 'respond', at: 'handled', status: 409, body: {} },
  forbidden: forbidden(),
  conflict: { kind: 'respond', at: 'body', status: 409, body: {} },
};

export async function emulatorBench(): Promise<ApiBench> {
  const emulator = await startEmulator({
    clock: { nowMs: () => Date.now() + skewMs },
    contentReadable: true,
    maxPageSize: 10,
  });
  onTestFinished(() => emulator.close());
  const patient = clientOf(emulator.url, { timeoutMs: 10_000 });
  const impatient = clientOf(emulator.url, { timeoutMs: 300 });
  let isSilent = false;
  return {
    get api() {
      return isSilent ? impatient : patient;
    },
    serverMs: () => Date.now() + skewMs,
    async befall(trouble) {
      isSilent = trouble.startsWith('silence');
      if (trouble === 'no connection') await emulator.close();
      else emulator.faults.add({ act: acts[trouble] });
    },
    stored: () => emulator.files(),
    contentOf: (id) => emulator.store.content(id),
    async add(purpose, filename) {
      await emulator.store.add({ purpose, filename, content: 'of somebody else' });
    },
    end: async (promise) => await promise,
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    soon: (act) => void setTimeout(act, 50),
  };
}

const uploadFates: Partial<Record<Trouble, UploadFate>> = {
  'no connection': 'no-connection',
  'rate limited': 'rate-limited',
  'error, lost': '5xx-lost',
  'error, done': '5xx-stored',
  'reset, lost': 'reset-lost',
  'reset, done': 'reset-stored',
  'silence, lost': 'hang-lost',
  'silence, done': 'hang-stored',
  'no JSON': 'bad-json',
  'reset in the body': 'reset-in-body',
  'conflict after the body': '4xx-stored',
};

const plainFates: Partial<Record<Trouble, PlainFate>> = {
  'no connection': 'no-connection',
  'rate limited': 'rate-limited',
  'error, lost': '5xx-lost',
  'error, done': '5xx-done',
  'reset, lost': 'reset-lost',
  'reset, done': 'reset-done',
  'silence, lost': 'hang-lost',
  'silence, done': 'hang-done',
  'no JSON': 'bad-json',
  forbidden: 'forbidden',
  conflict: 'conflict',
};

const episodes: Partial<Record<Trouble, ServerEpisode>> = {
  'key refused': 'auth',
  'request refused': 'refusals',
  'quota exceeded': 'quota',
};

export async function simulatedBench(): Promise<ApiBench> {
  const clock = new SimClock({ wallStartMs: 1_760_000_000_000, maxSteps: 1_000_000 });
  const random = new SimRandom(1);
  const settings = calmSettings([rulesOf('batch')]);
  const knobs = { ...drawKnobs(calmProfile, random), settings, skewMs, timeoutMs: 20_000 };
  const trace = new SimTrace(clock, 100);
  const server = new SimServer({ clock, knobs, random, trace });
  const process = new Incarnation({ number: 1, clock, killAtCall: null, onKill: () => {} });
  const disk = new SimDisk(clock, random);
  const stateDir = new SimStateDir(random.uuid(), clock, random, () => {});
  const safety = new SafetyMonitor({ clock, disk, server, stateDir, settings, profile: calmProfile, trace });
  const fates: { upload: UploadFate | null; plain: PlainFate | null } = { upload: null, plain: null };
  const api = new SimApi({
    server,
    project: () => 'home',
    clock,
    incarnation: process,
    knobs,
    random,
    safety,
    trace,
    fates,
  });
  server.calmDown();
  return {
    api,
    serverMs: () => server.wallMs(),
    async befall(trouble) {
      fates.upload = uploadFates[trouble] ?? null;
      fates.plain = plainFates[trouble] ?? null;
      server.begin(episodes[trouble] ?? 'none');
    },
    stored: () => server.all().filter((file) => server.isLive(file)),
    contentOf: async (id) => server.get(id)?.content ?? null,
    async add(purpose, filename) {
      const content = Buffer.from('of somebody else');
      server.store({ purpose, filename, content, expiresAfterSeconds: null, damaged: false }, 'foreign');
    },
    async end(promise) {
      let isOver = false;
      const over = (): boolean => (isOver = true);
      void promise.then(over, over);
      await clock.runUntil(() => isOver, clock.monotonicMs() + 60_000);
      return await promise;
    },
    pass: (ms) => clock.runFor(ms),
    soon: (act) => void clock.schedule(1, act),
  };
}
