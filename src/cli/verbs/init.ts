import { createRoot } from '../../config/root-folder.ts';
import { withCommands } from '../../contract/command.ts';
import { printable } from '../../contract/shown-text.ts';
import { exitCode } from '../exit-code.ts';
import { print } from '../io.ts';
import { printJson } from '../json-output.ts';
import { startAdvice } from '../start-advice.ts';
import { defineVerb, jsonOption } from '../verb.ts';

export const verb = defineVerb({
  options: jsonOption,
  async run({ json }, context) {
    const { config } = await context.loadConfig();
    const created = await createRoot(config);
    if (json) {
      await printJson(context.io, { version: 1, root: config.root, created });
      return exitCode.done;
    }
    const lines = [
      ...created.map((folder) => `created ${printable(folder)}`),
      `${printable(config.root)} is ready: put files into ${config.folders.map(({ folder }) => `${printable(folder)}/`).join(', ')}`,
      withCommands(`next: ${await startAdvice(context, 'mirror it with')}`, await context.invocation()),
    ];
    await print(context.io, `${lines.join('\n')}\n`);
    return exitCode.done;
  },
});
