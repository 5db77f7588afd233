import { Mirror } from '../../src/mirror/mirror.ts';
import type { MirrorSettings } from '../../src/contract/settings.ts';
import { LaneQueue } from '../../src/queue/send-queue.ts';
import type { SimSettings } from '../support/sim/sim-profile.ts';
import type { SimEngine, SimPorts } from '../support/sim/sim-world.ts';

export interface MirrorEngine extends SimEngine {
  readonly mirror: Mirror;
  /** As after a SIGHUP with another configuration. */
  reconfigure(settings: SimSettings): void;
}

/** The real engine and the real queue over a simulated world. */
export function startMirror(ports: SimPorts): MirrorEngine {
  const { clock, local, api, manifest, apiMemory, listener, settings, random } = ports;
  const queue = new LaneQueue({
    clock,
    random,
    uploadsPerMinute: settings.uploadsPerMinute,
    concurrentUploads: settings.concurrentUploads,
    concurrentDeletes: settings.concurrentDeletes,
    concurrentQuestions: 8,
    recentAttemptsMs: ports.recentAttemptsMs,
  });
  const mirror = new Mirror({
    clock,
    local,
    api,
    manifest,
    apiMemory,
    queue,
    settings: mirrorSettings(settings),
    stay: 'daemon',
    listener,
  });
  const unsubscribe = ports.subscribe((hint) => mirror.hint(hint));
  mirror.start();
  mirror.ended().catch((error: unknown) => {
    listener({
      kind: 'warning',
      message: `ENGINE BROKE: ${error instanceof Error ? error.stack : String(error)}`,
    });
  });
  return {
    mirror,
    reconfigure: (next) => mirror.reconfigure(mirrorSettings(next), local),
    async stop() {
      unsubscribe();
      await mirror.stop(15_000);
      queue.close();
    },
    approve: () => void mirror.approve(null),
  };
}

function mirrorSettings(settings: SimSettings): MirrorSettings {
  const { folders, graceMs, maxDeleteFraction, minDeleteCount, rescanMs, verifyMs, lookMs, trustReply } =
    settings;
  return {
    root: '/root',
    api: 'sim',
    folders: new Map(folders.map((rules) => [rules.folder, rules])),
    settleMs: 0,
    graceMs,
    maxFraction: maxDeleteFraction,
    minCount: minDeleteCount,
    rescanMs,
    verifyMs,
    storageBytes: settings.storageBytes ?? null,
    canDelete: true,
    lookMs,
    // Of the sizes that lives draw, some are below it.
    markSentFromBytes: 500,
    trustReply,
  };
}
