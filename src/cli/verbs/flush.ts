import { command } from '../../contract/command.ts';
import { exitCodeOfResult } from '../exit-code.ts';
import { printFlushResult } from '../flush-report.ts';
import { leftText, untilTimeIsUp } from '../time-is-up.ts';
import { defineVerb, jsonOption, timeoutOption, timeoutMsOf } from '../verb.ts';

export const verb = defineVerb({
  options: { ...jsonOption, ...timeoutOption },
  async run({ json, timeout }, context) {
    const timeoutMs = timeoutMsOf(timeout);
    const daemon = await context.daemon();
    const result = await untilTimeIsUp(timeoutMs, daemon.flush(timeoutMs), async (ms) => {
      return `${leftText(await daemon.status(), ms)}; see: ${command('status')}`;
    });
    await printFlushResult(context, result, json);
    return exitCodeOfResult(result);
  },
});
