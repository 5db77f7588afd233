import type { Halt } from '../../contract/types.ts';
import type { MirrorApp } from '../../compose.ts';
import type { BatchView } from '../../contract/batch-report.ts';
import type { PathReport } from '../../contract/report.ts';
import type { MirrorPath } from '../../contract/types.ts';
import { withCommands } from '../../contract/command.ts';
import type { BatchChanges } from '../../service/batch-client.ts';
import { renderHalt } from '../../service/status-text.ts';
import type { Context } from '../context.ts';
import { tell } from '../io.ts';
import { mirrorOnce } from '../one-shot.ts';

/** Whom something is asked of: the daemon, or a mirror that is open for this alone. */
export interface Asked extends BatchChanges {
  /** A daemon goes on with it; otherwise it is done when this process ends, as far as it was due. */
  readonly isDaemon: boolean;
  report(path: MirrorPath): Promise<PathReport | null>;
  /** This pass began it by itself, before it was asked for. */
  isBegunHere(path: MirrorPath): boolean;
}

export interface Told<T> {
  readonly value: T;
  readonly isDaemon: boolean;
  /** Of a mirror that was opened: what it came to. */
  readonly latest: (path: MirrorPath) => BatchView | null;
  /** What stopped the pass as a whole. */
  readonly halts: readonly Halt[];
}

/**
 * Asks the daemon. Without one it is done in one pass: the mirror is opened, and what is due is done as `sync` does.
 * `order`: whether what is on the disk has to be mirrored `before`, or comes `after`, since the pass could begin what is to be
 * stopped.
 */
export async function askBatches<T>(
  context: Context,
  order: 'before' | 'after',
  ask: (asked: Asked) => Promise<T>,
): Promise<Told<T>> {
  const { config } = await context.loadConfig();
  const daemon = await context.findDaemon(config);
  if (daemon === null) return await inOnePass(context, order, ask);
  const { batches } = daemon;
  const asked = {
    ...batches,
    isDaemon: true,
    isBegunHere: () => false,
    report: async (path: MirrorPath) => await daemon.report(path),
  };
  return { value: await ask(asked), isDaemon: true, latest: () => null, halts: [] };
}

async function inOnePass<T>(
  context: Context,
  order: 'before' | 'after',
  ask: (asked: Asked) => Promise<T>,
): Promise<Told<T>> {
  return await mirrorOnce(context, async (mirror, signal) => {
    const asked = askedOf(mirror);
    const before = order === 'before' ? await mirror.converge(signal) : null;
    const value = await ask(asked);
    const after = before ?? (await mirror.converge(signal));
    await mirror.settleBatches(signal);
    const halts = after.halts.filter(({ name, folder }) => folder === null && name !== 'mass-submit');
    const invocation = await context.invocation();
    for (const halt of halts)
      tell(context.io, withCommands(renderHalt(halt, Date.now() / 1_000), invocation));
    const views = new Map(mirror.batches.list().map(({ path }) => [path, mirror.batches.show(path)]));
    return { value, isDaemon: false, latest: (path) => views.get(path) ?? null, halts };
  });
}

function askedOf({ batches, control }: MirrorApp): Asked {
  const begunBefore = new Set(batches.list().map(({ batch }) => batch));
  return {
    isDaemon: false,
    isBegunHere: (path) => {
      const batch = batches.show(path)?.batch ?? null;
      return batch !== null && !begunBefore.has(batch);
    },
    report: async (path) => control.report(path),
    submit: (paths, options) => batches.submit(paths, options),
    cancel: (paths) => batches.cancel(paths),
    retry: (paths) => batches.retry(paths),
    resolve: (path, word) => batches.resolve(path, word),
    approveSubmits: () => batches.approveSubmits(),
  };
}
