import { counted } from '../../contract/quantities.ts';
import { askBatches } from '../batch/whom.ts';
import type { Context } from '../context.ts';
import { exitCode, exitCodeOfHalts } from '../exit-code.ts';
import { printFacts } from '../io.ts';
import { defineVerb, jsonOption, UsageError } from '../verb.ts';

export const verb = defineVerb({
  operands: '[folder]',
  positionals: { folder: { type: 'string', describe: 'Only this purpose folder; without it, all of them' } },
  options: {
    ...jsonOption,
    submits: {
      type: 'boolean',
      default: false,
      describe: 'Instead of deletes, the batches that were too many at once',
    },
  },
  async run({ folder, json, submits }, context) {
    if (submits) return await approveSubmits(folder, json, context);
    const { config } = await context.loadConfig();
    if (folder !== undefined && !config.folders.some((rules) => rules.folder === folder)) {
      throw new UsageError(
        `"${folder}" is no purpose folder; there are: ${config.folders.map((rules) => rules.folder).join(', ')}`,
      );
    }
    const approved = await (await context.daemon()).approve(folder ?? null);
    const text = approved === 0 ? 'no deletes were held back\n' : `released ${counted(approved, 'delete')}\n`;
    await printFacts(context.io, json, { version: 1, approved }, text);
    return exitCode.done;
  },
});

/** Without a daemon they are submitted in one pass. */
async function approveSubmits(folder: string | undefined, json: boolean, context: Context): Promise<number> {
  if (folder !== undefined) throw new UsageError('--submits takes no folder: a flood is let go as a whole');
  const { value: approved, halts } = await askBatches(context, 'after', (asked) => asked.approveSubmits());
  const text =
    approved === 0 ? 'no batches were held back\n' : `released ${counted(approved, 'batch', 'batches')}\n`;
  await printFacts(context.io, json, { version: 1, approved }, text);
  return exitCodeOfHalts(halts);
}
