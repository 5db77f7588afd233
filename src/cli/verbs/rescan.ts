import { tell } from '../io.ts';
import { defineVerb } from '../verb.ts';

export const verb = defineVerb({
  async run(_args, context) {
    const daemon = await context.daemon();
    await daemon.rescan();
    tell(context.io, 'every file was looked at');
  },
});
