import { command, withCommands } from '../../contract/command.ts';
import { tell } from '../io.ts';
import { defineVerb } from '../verb.ts';

export const verb = defineVerb({
  async run(_args, context) {
    const daemon = await context.daemon();
    await daemon.pause();
    const resume = withCommands(command('resume'), await context.invocation());
    tell(context.io, `paused: nothing is sent; go on with: ${resume}`);
  },
});
