import type { Listener, MirrorEvent } from '../../contract/ports.ts';
import { keepHeapSmall } from '../../service/small-heap.ts';
import { Fault } from '../../contract/faults.ts';
import { StopRequest } from '../../service/signals.ts';
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
    once: { type: 'boolean', default: true, hidden: true, describe: 'What sync does anyway' },
  },
  async run(args, context) {
    if (args['dry-run']) return printPlan(args.json, context);
    const tally = new Tally();
    const onEvent: Listener = (event) => {
      tally.count(event);
      // A pass with nothing to do is over before that pays.
      if (event.kind === 'scanned' && event.dirty > 0) keepHeapSmall();
    };
    try {
      const result = await mirrorOnce(context, (mirror, signal) => mirror.converge(signal), onEvent);
      const code = exitCodeOfResult(result);
      await printFlushResult(context, result, args.json, { done: tally.done });
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

/** What a pass did: how many files (of `rejected` and `failed`: versions, and attempts) by what became of them. */
type Done = Record<(typeof kinds)[number], number>;

const kinds = ['uploaded', 'replaced', 'adopted', 'moved', 'deleted', 'rejected', 'failed'] as const;

class Tally {
  readonly done: Done = {
    uploaded: 0,
    replaced: 0,
    adopted: 0,
    moved: 0,
    deleted: 0,
    rejected: 0,
    failed: 0,
  };

  count(event: MirrorEvent): void {
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

function kindOf(event: MirrorEvent): keyof Done | null {
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
    default:
      return null;
  }
}
