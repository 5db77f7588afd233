import { createRoot } from '../../config/root-folder.ts';
import { withCommands } from '../../contract/command.ts';
import { printable } from '../../contract/shown-text.ts';
import { printFacts } from '../io.ts';
import { startAdvice } from '../start-advice.ts';
import { defineVerb, jsonOption } from '../verb.ts';

export const verb = defineVerb({
  options: jsonOption,
  async run({ json }, context) {
    const { config } = await context.loadConfig();
    const created = await createRoot(config);
    await printFacts(context.io, json, { version: 1, root: config.root, created }, async () => {
      const folders = config.folders.map(({ folder }) => `${printable(folder)}/`).join(', ');
      const next = `next: ${await startAdvice(context, 'mirror it with')}`;
      const lines = [
        ...created.map((folder) => `created ${printable(folder)}`),
        `${printable(config.root)} is ready: put files into ${folders}`,
        withCommands(next, await context.invocation()),
      ];
      return `${lines.join('\n')}\n`;
    });
  },
});
