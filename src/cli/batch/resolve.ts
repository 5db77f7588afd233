import { printable } from '../../contract/shown-text.ts';
import { exitCode, exitCodeOfHalts } from '../exit-code.ts';
import { print, printJson, tell } from '../io.ts';
import { UsageError } from '../verb.ts';
import type { BatchAction } from './action.ts';
import { askBatches } from './whom.ts';

/** A person's word on a submission whose outcome is not known. */
export const resolve: BatchAction = {
  paths: 'one',
  options: ['batch', 'none'],
  async run([path = ''], { batch, none, json }, context) {
    if (batch !== undefined && none) throw new UsageError('--batch and --none exclude each other');
    const word = none ? 'none' : batch === undefined ? null : { batch };
    const { value, isDaemon, halts } = await askBatches(context, 'after', (asked) =>
      asked.resolve(path, word),
    );
    if (json) await printJson(context.io, { version: 1, replies: [value], running: isDaemon });
    else if (value.done) await print(context.io, `${printable(path)}: ${printable(value.text)}\n`);
    else tell(context.io, `${printable(path)}: ${printable(value.text)}`);
    return exitCodeOfHalts(halts) || (value.done ? exitCode.done : exitCode.someFailed);
  },
};
