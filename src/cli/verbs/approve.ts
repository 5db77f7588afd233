import { counted } from '../../contract/quantities.ts';
import { exitCode } from '../exit-code.ts';
import { print } from '../io.ts';
import { printJson } from '../json-output.ts';
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
    if (json) await printJson(context.io, { version: 1, approved });
    else
      await print(
        context.io,
        approved === 0 ? 'no deletes were held back\n' : `released ${counted(approved, 'delete')}\n`,
      );
    return exitCode.done;
  },
});
