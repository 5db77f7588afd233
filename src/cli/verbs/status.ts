import { withCommands, withCommandsIn } from '../../contract/command.ts';
import { renderLastKnown, renderStatus } from '../../service/status-text.ts';
import { exitCode, exitCodeOfHalts } from '../exit-code.ts';
import { print } from '../io.ts';
import { printJson } from '../json-output.ts';
import { lastKnownState } from '../last-known.ts';
import { startAdvice } from '../start-advice.ts';
import { defineVerb, jsonOption } from '../verb.ts';

/** Exit code: 0 all is well, 5 (77 for `auth`) halted, 3 no daemon runs, or it does not answer. */
export const verb = defineVerb({
  options: jsonOption,
  async run({ json }, context) {
    const { config } = await context.loadConfig();
    const invocation = await context.invocation();
    const nowSeconds = Date.now() / 1000;
    const found = await context.findProcess(config);
    if (found.kind === 'daemon') {
      const status = await found.daemon.status();
      if (json) await printJson(context.io, { ...withCommandsIn(status, invocation), running: true });
      else await print(context.io, withCommands(renderStatus(status, nowSeconds), invocation));
      return exitCodeOfHalts(status.halts);
    }
    const { readState } = await context.compose();
    const state = lastKnownState(await readState(config.stateDir), nowSeconds, config.api.deletes, found);
    if (json) await printJson(context.io, withCommandsIn(state, invocation));
    else {
      const text = renderLastKnown(state, await startAdvice(context), nowSeconds);
      await print(context.io, withCommands(text, invocation));
    }
    return exitCode.notRunning;
  },
});
