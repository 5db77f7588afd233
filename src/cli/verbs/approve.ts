import { counted } from '../../contract/quantities.ts';
import { printFacts } from '../io.ts';
import { defineVerb, jsonOption, UsageError } from '../verb.ts';

export const verb = defineVerb({
  operands: '[folder]',
  positionals: { folder: { type: 'string', describe: 'Only this purpose folder; without it, all of them' } },
  options: jsonOption,
  async run({ folder, json }, context) {
    const { config } = await context.loadConfig();
    if (folder !== undefined && !config.folders.some((rules) => rules.folder === folder)) {
      throw new UsageError(
        `"${folder}" is no purpose folder; there are: ${config.folders.map((rules) => rules.folder).join(', ')}`,
      );
    }
    const approved = await (await context.daemon()).approve(folder ?? null);
    const text = approved === 0 ? 'no deletes were held back\n' : `released ${counted(approved, 'delete')}\n`;
    await printFacts(context.io, json, { version: 1, approved }, text);
  },
});
