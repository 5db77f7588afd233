import { configJsonSchema } from '../../config/json-schema.ts';
import { shownConfig } from '../../config/shown-config.ts';
import { printable } from '../../contract/shown-text.ts';
import { printFacts, printJson } from '../io.ts';
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
    if (action === 'schema') return await printJson(context.io, configJsonSchema());
    const { config, file } = await context.loadConfig();
    if (action === 'show') return await printJson(context.io, shownConfig(config));
    const text = file === null ? 'ok: no file, all defaults\n' : `ok: ${printable(file)}\n`;
    await printFacts(context.io, json, { version: 1, ok: true, file }, text);
  },
});
