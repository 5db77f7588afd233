import { withCommands, withCommandsIn } from '../../contract/command.ts';
import { renderLastKnown, renderStatus } from '../../service/status-text.ts';
import { exitCode, exitCodeOfHalts } from '../exit-code.ts';
import { printFacts } from '../io.ts';
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
      const text = withCommands(renderStatus(status, nowSeconds), invocation);
      await printFacts(context.io, json, { ...withCommandsIn(status, invocation), running: true }, text);
      return exitCodeOfHalts(status.halts);
    }
    const { readState, recordedViews, totalsOf } = await context.compose();
    const view = await readState(config.stateDir);
    const totals = totalsOf(recordedViews(view.batches));
    const state = lastKnownState(view, nowSeconds, config.api.deletes, found, totals);
    await printFacts(context.io, json, withCommandsIn(state, invocation), async () =>
      withCommands(renderLastKnown(state, await startAdvice(context), nowSeconds), invocation),
    );
    return exitCode.notRunning;
  },
});
