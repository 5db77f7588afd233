import type { AppEvent, AppListener } from '../../contract/app-event.ts';
import type { MirrorApp } from '../../compose.ts';
import { exitCodeOfWait, waitHere, type Waited } from '../batch/wait.ts';
import { keepHeapSmall } from '../../service/small-heap.ts';
import { Fault } from '../../contract/faults.ts';
import { StopRequest } from '../../service/signals.ts';
import type { FlushResult } from '../../contract/report.ts';
import { exitCode, exitCodeOf, exitCodeOfResult } from '../exit-code.ts';
import { printFlushResult } from '../flush-report.ts';
import { print, printJson } from '../io.ts';
import { mirrorOnce } from '../one-shot.ts';
import { defineVerb, jsonOption } from '../verb.ts';
import { printPlan } from './plan.ts';

export const verb = defineVerb({
  options: {
    ...jsonOption,
    'dry-run': { type: 'boolean', default: false, describe: 'The same as the verb plan' },
    'wait-batches': {
      type: 'boolean',
      default: false,
      describe: 'Stay until all batches have ended and their answers are written',
    },
    once: { type: 'boolean', default: true, hidden: true, describe: 'What sync does anyway' },
  },
  async run(args, context) {
    if (args['dry-run']) return printPlan(args.json, context);
    const tally = new Tally();
    const onEvent: AppListener = (event) => {
      tally.count(event);
      // A pass with nothing to do is over before that pays.
      if (event.kind === 'scanned' && event.dirty > 0) keepHeapSmall();
    };
    try {
      const stay = args['wait-batches'];
      const { result, waited } = await mirrorOnce(
        context,
        (mirror, signal) => pass(mirror, stay, signal),
        onEvent,
      );
      const code = exitCodeOfPass(result, waited);
      const more = waited === null ? {} : { outcome: waited.outcome, batches: waited.batches };
      await printFlushResult(context, result, args.json, { done: tally.done, ...more });
      if (!args.json) await print(context.io, `${tally.summary(code === exitCode.done)}\n`);
      return code;
    } catch (error) {
      // Broken off, or the API went away: some of it may be done all the same.
      if (!(error instanceof StopRequest || (error instanceof Fault && error.rule === 'unreachable')))
        throw error;
      if (!args.json) await print(context.io, `${tally.summary(false)}\n`);
      else {
        const failure = { code: exitCodeOf(error), message: error.message };
        await printJson(context.io, { version: 1, error: failure, done: tally.done });
      }
      throw error;
    }
  },
});

interface Pass {
  readonly result: FlushResult;
  /** Null: batches were not waited for. */
  readonly waited: Waited | null;
}

async function pass(mirror: MirrorApp, stay: boolean, signal: AbortSignal): Promise<Pass> {
  const before = stay ? mirror.batches.list() : [];
  const result = await mirror.converge(signal);
  return { result, waited: stay ? await waitHere(mirror, before, null, null, signal) : null };
}

/** A halt weighs most: the pass's own, then that of the batches, then single files and lines. */
function exitCodeOfPass(result: FlushResult, waited: Waited | null): number {
  const ofFiles = exitCodeOfResult(result);
  if (waited === null || ofFiles > exitCode.someFailed) return ofFiles;
  return Math.max(ofFiles, exitCodeOfWait(waited.outcome));
}

/**
 * What a pass did: how many files (of `rejected` and `failed`: versions, and attempts) by what became of them.
 * `submitted`: batches that were begun; `answered`: those whose results were written.
 */
type Done = Record<(typeof kinds)[number], number>;

const kinds = [
  'uploaded',
  'replaced',
  'adopted',
  'moved',
  'deleted',
  'rejected',
  'failed',
  'submitted',
  'answered',
] as const;

class Tally {
  readonly done: Done = {
    uploaded: 0,
    replaced: 0,
    adopted: 0,
    moved: 0,
    deleted: 0,
    rejected: 0,
    failed: 0,
    submitted: 0,
    answered: 0,
  };

  count(event: AppEvent): void {
    const kind = kindOf(event);
    if (kind !== null) this.done[kind] += 1;
  }

  /** `isAll`: nothing was left undone. */
  summary(isAll: boolean): string {
    const parts = kinds.filter((kind) => this.done[kind] > 0).map((kind) => `${this.done[kind]} ${kind}`);
    if (parts.length > 0) return parts.join(', ');
    return isAll ? 'nothing to do' : 'nothing was done';
  }
}

function kindOf(event: AppEvent): keyof Done | null {
  switch (event.kind) {
    case 'uploaded':
      return event.adopted ? 'adopted' : event.replaced === null ? 'uploaded' : 'replaced';
    case 'moved':
    case 'rejected':
    case 'failed':
      return event.kind;
    case 'deleted':
      // The old file of one that was replaced is counted there.
      return event.why === 'replaced' ? null : 'deleted';
    case 'batch-submitted':
      return 'submitted';
    case 'results-written':
      return 'answered';
    default:
      return null;
  }
}
