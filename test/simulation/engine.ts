import { Mirror } from '../../src/mirror/mirror.ts';
import type { MirrorSettings } from '../../src/mirror/settings.ts';
import { LaneQueue } from '../../src/queue/send-queue.ts';
import type { SimEngine, SimPorts } from '../support/sim/sim-world.ts';

/** The real engine and the real queue over a simulated world. */
export function startMirror(ports: SimPorts): SimEngine {
  const { clock, local, api, manifest, listener, settings, random } = ports;
  const { folders, graceMs, maxDeleteFraction, minDeleteCount, rescanMs, verifyMs, listHorizonMs } = settings;
  const queue = new LaneQueue({
    clock,
    random,
    uploadsPerMinute: settings.uploadsPerMinute,
    concurrentUploads: settings.concurrentUploads,
    concurrentDeletes: settings.concurrentDeletes,
    recentAttemptsMs: ports.recentAttemptsMs,
  });
  const mirrorSettings: MirrorSettings = {
    root: '/root',
    folders: new Map(folders.map((rules) => [rules.folder, rules])),
    graceMs,
    maxFraction: maxDeleteFraction,
    minCount: minDeleteCount,
    rescanMs,
    verifyMs,
    storageBytes: null,
    resolveLooksMs: [0, 2_000, listHorizonMs],
  };
  const mirror = new Mirror({ clock, local, api, manifest, queue, settings: mirrorSettings, listener });
  const unsubscribe = ports.subscribe((hint) => mirror.hint(hint));
  mirror.start();
  mirror.ended().catch((error: unknown) => {
    listener({ kind: 'warning', message: `ENGINE BROKE: ${error instanceof Error ? error.stack : String(error)}` });
  });
  return {
    async stop() {
      unsubscribe();
      await mirror.stop(15_000);
      queue.close();
    },
    approve: () => mirror.approve(null),
  };
}
