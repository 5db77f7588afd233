import { exitCodeOfResult } from '../exit-code.ts';
import { printFlushResult } from '../flush-report.ts';
import { timeoutMsOf } from '../timeout-argument.ts';
import { defineVerb, jsonOption, timeoutOption } from '../verb.ts';

export const verb = defineVerb({
  options: { ...jsonOption, ...timeoutOption },
  async run({ json, timeout }, context) {
    const timeoutMs = timeoutMsOf(timeout);
    const result = await (await context.daemon()).flush(timeoutMs);
    await printFlushResult(context, result, json);
    return exitCodeOfResult(result);
  },
});
