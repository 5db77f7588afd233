import { configJsonSchema } from '../../config/json-schema.ts';
import { shownConfig } from '../../config/shown-config.ts';
import { printable } from '../../contract/shown-text.ts';
import { exitCode } from '../exit-code.ts';
import { print } from '../io.ts';
import { printJson } from '../json-output.ts';
import { defineVerb, jsonOption } from '../verb.ts';

export const verb = defineVerb({
  operands: '<action>',
  positionals: {
    action: {
      choices: ['check', 'show', 'schema'],
      demandOption: true,
      describe: 'check: is it right? show: what is in force, as JSON; schema: the JSON Schema of the file',
    },
  },
  options: jsonOption,
  async run({ action, json }, context) {
    if (action === 'schema') {
      await printJson(context.io, configJsonSchema());
      return exitCode.done;
    }
    const { config, file } = await context.loadConfig();
    if (action === 'show') await printJson(context.io, shownConfig(config));
    else if (json) await printJson(context.io, { version: 1, ok: true, file });
    else await print(context.io, file === null ? 'ok: no file, all defaults\n' : `ok: ${printable(file)}\n`);
    return exitCode.done;
  },
});
