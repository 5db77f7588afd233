import { tell } from '../io.ts';
import { defineVerb } from '../verb.ts';

export const verb = defineVerb({
  async run(_args, context) {
    const daemon = await context.daemon();
    await daemon.resume();
    tell(context.io, 'resumed');
  },
});
