import type { Listener, MirrorEvent } from '../../mirror/ports.ts';
import { logEvents } from '../../service/event-log.ts';
import { keepHeapSmall } from '../../service/small-heap.ts';
import { exitCodeOfResult } from '../exit-code.ts';
import { printFlushResult } from '../flush-report.ts';
import { print } from '../io.ts';
import { systemClock } from '../../service/system-clock.ts';
import { createOneShotLogger, mirrorOnce } from '../one-shot.ts';
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
    const logger = await createOneShotLogger(context);
    const tally = new Tally();
    const log = logEvents(logger, systemClock);
    const listener: Listener = (event) => {
      tally.count(event);
      log(event);
      // A pass with nothing to do is over before that pays.
      if (event.kind === 'scanned' && event.dirty > 0) keepHeapSmall();
    };
    const result = await mirrorOnce(context, { logger, listener }, (mirror, signal) =>
      mirror.converge(signal),
    );
    await printFlushResult(context.io, result, args.json);
    if (!args.json) await print(context.io, `${tally.summary()}\n`);
    return exitCodeOfResult(result);
  },
});

/** What a pass did, for people. */
class Tally {
  readonly #counts = new Map<MirrorEvent['kind'], number>();

  count(event: MirrorEvent): void {
    this.#counts.set(event.kind, (this.#counts.get(event.kind) ?? 0) + 1);
  }

  summary(): string {
    const parts = (['uploaded', 'moved', 'deleted', 'rejected'] as const)
      .map((kind) => ({ kind, count: this.#counts.get(kind) ?? 0 }))
      .filter(({ count }) => count > 0)
      .map(({ kind, count }) => `${count} ${kind}`);
    return parts.length === 0 ? 'nothing to do' : parts.join(', ');
  }
}
