import { ApiHalts } from './acts/api-halts.ts';
import { Asker } from './acts/asker.ts';
import { Collector } from './acts/collector.ts';
import { Deleter } from './acts/deleter.ts';
import { ExpiryWatch } from './acts/expiry-watch.ts';
import { Inquiry } from './acts/inquiry.ts';
import { LaneGovernor } from './acts/lane-governor.ts';
import { Reader } from './acts/reader.ts';
import { LifeEnder } from './acts/life-ender.ts';
import { Resolver } from './acts/resolver.ts';
import { RootGuard } from './acts/root-guard.ts';
import { Scanner } from './acts/scanner.ts';
import { ScopeGuard } from './acts/scope-guard.ts';
import { Storage } from './acts/storage.ts';
import { Trial } from './acts/trial.ts';
import { Uploader } from './acts/uploader.ts';
import { Verifier } from './acts/verifier.ts';
import { Worker } from './acts/worker.ts';
import type {
  ApiMemory,
  Clock,
  FilesApi,
  Listener,
  LocalTree,
  Manifest,
  SendQueue,
} from '../contract/ports.ts';
import { NO_USES, type FileUses } from '../contract/file-uses.ts';
import type { MirrorSettings } from '../contract/settings.ts';
import type { Stay } from './judge/halt-advice.ts';
import { LetGo } from './judge/let-go.ts';
import { Quiet } from './loop/quiet.ts';
import { ScanSchedule } from './loop/scan-schedule.ts';
import { TimerLoop } from './loop/timer-loop.ts';
import { VerifySchedule } from './loop/verify-schedule.ts';
import { WorkerPool } from './loop/worker-pool.ts';
import { Failures } from './memory/failures.ts';
import { HaltBoard } from './memory/halts.ts';
import { IdentityIndex } from './memory/identity-index.ts';
import { Ledger } from './memory/ledger.ts';
import { Totals } from './memory/totals.ts';
import { LostFiles } from './memory/lost-files.ts';
import { PathNotes } from './memory/path-notes.ts';
import { type Reloadable, rulesOf } from './memory/reloadable.ts';
import { AskingRoom } from './waiting/asking-room.ts';
import { SendingRoom } from './waiting/sending-room.ts';
import { endOf } from './waiting/topics.ts';
import { Wakeup } from './waiting/wakeup.ts';
import { Worklist } from './waiting/worklist.ts';

export interface MirrorParts {
  readonly clock: Clock;
  readonly local: LocalTree;
  readonly api: FilesApi;
  readonly manifest: Manifest;
  readonly queue: SendQueue;
  readonly apiMemory: ApiMemory;
  readonly settings: MirrorSettings;
  /** Whether it goes on when a halt ends: what is advised depends on it. */
  readonly stay: Stay;
  readonly listener: Listener;
  /** Who else of this program uses remote files; none by default. */
  readonly uses?: FileUses;
}

/** How the engine ends. */
export interface Endings {
  /** Breaks off what is under way. */
  readonly abort: AbortSignal;
  /** Only starts nothing new. */
  readonly stopTaking: AbortSignal;
  /** Something failed that the engine cannot go on from. */
  readonly broke: (error: unknown) => void;
}

export type Engine = ReturnType<typeof buildEngine>;

/** Makes the parts of the engine, each after those that it works with. Nothing runs yet. */
export function buildEngine(parts: MirrorParts, { abort, stopTaking, broke }: Endings) {
  const { clock, manifest, queue, listener, apiMemory, api, uses = NO_USES } = parts;
  const config: Reloadable = { settings: parts.settings, local: parts.local };
  const pause = (): Promise<void> => clock.sleep(0, abort);
  const index = new IdentityIndex(manifest, pause);
  const totals = new Totals(manifest, pause);
  const halts = new HaltBoard(queue, listener, parts.stay);
  const ledger = new Ledger(manifest, halts, clock, broke, index);
  ledger.subscribe((change, replaced) => index.apply(change, replaced, clock.monotonicMs()));
  ledger.subscribe((change, replaced) => totals.apply(change, replaced));
  const notes = new PathNotes(manifest, (folder) => config.settings.folders.get(folder)?.purpose ?? null);
  const worklist = new Worklist(
    (path) => rulesOf(config, path)?.priority ?? 0,
    () => clock.monotonicMs(),
  );
  const memory = {
    config,
    view: manifest,
    ledger,
    index,
    totals,
    notes,
    halts,
    failures: new Failures(),
    lost: new LostFiles(manifest, index),
  };
  halts.whenEnded((name) => worklist.signal(endOf(name)));
  const waiting = {
    worklist,
    askingRoom: new AskingRoom(),
    sendingRoom: new SendingRoom(),
    wakeup: new Wakeup(clock),
  };
  const world = { clock, pause, api, queue, listener, uses, signal: abort, broke, ...memory, ...waiting };
  const apiHalts = new ApiHalts(world);
  const trial = new Trial(world);
  const governors = {
    upload: new LaneGovernor({ ...world, lane: 'upload' }),
    delete: new LaneGovernor({ ...world, lane: 'delete' }),
    ask: new LaneGovernor({ ...world, lane: 'ask' }),
  };
  const asking = { api, queue, governor: governors.ask };
  // What a person asks for is asked during a halt, too, and so is what ends one.
  const questions = { ...world, api: new Asker({ ...asking, mayAsk: () => true }) };
  const ownQuestions = { ...world, api: new Asker({ ...asking, mayAsk: () => !halts.holdsEverything() }) };
  const scope = new ScopeGuard({ ...questions, memory: apiMemory, apiHalts });
  const root = new RootGuard(world);
  const guards = { apiHalts, trial, scope, root };
  const collector = new Collector({ ...world, ...guards, governor: governors.delete });
  const letGo = new LetGo(clock, manifest.memory.letGo);
  const deleter = new Deleter({ ...world, root, collector, letGo });
  const resolver = new Resolver(ownQuestions);
  const storage = new Storage(world);
  const uploader = new Uploader({ ...world, ...guards, resolver, governor: governors.upload });
  const inquiry = new Inquiry({ ...ownQuestions, ...guards, resolver, uploader });
  const reader = new Reader(world);
  const worker = new Worker({ ...world, ...guards, uploader, inquiry, reader, deleter, storage });
  const verifier = new Verifier({ ...questions, trial, scope, storage });
  const verifications = new VerifySchedule({ ...world, verifier });
  const pool = new WorkerPool({ ...world, worker, abort, stopTaking });
  const scanner = new Scanner({ ...world, deleter, storage });
  const scans = new ScanSchedule({ ...world, scanner, root });
  const quiet = new Quiet({ ...world, deleter, collector, governors, scope });
  const loop = new TimerLoop({
    ...world,
    ...guards,
    pool,
    scans,
    verifications,
    collector,
    deleter,
    expiry: new ExpiryWatch(world),
    storage,
    abort,
    stopTaking,
  });
  return {
    ...world,
    ...guards,
    apiMemory,
    collector,
    lifeEnder: new LifeEnder(world),
    governors,
    deleter,
    verifications,
    pool,
    scanner,
    scans,
    quiet,
    loop,
  };
}
