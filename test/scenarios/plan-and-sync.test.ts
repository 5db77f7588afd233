/** `plan` and `sync` decide alike whether anything is remembered. */
import { unlink } from 'node:fs/promises';
import { describe, test } from 'vitest';
import { badGateway } from '../support/fault-presets.ts';
import type { PlannedAction } from '../../src/mirror/judge/planned.ts';
import { openTestMirror, SCENARIO_TIMEOUT_MS } from '../support/blackbox/mirror-process.ts';
import { batchFile } from '../support/blackbox/samples.ts';

describe.concurrent('a root without its marker', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('is as wrong to plan as to sync while remote files are still to be deleted', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.sync();
    mirror.emulator.faults.add({ match: { method: 'DELETE' }, act: badGateway('arrival') });
    await unlink(mirror.at('batch/a.jsonl'));
    await mirror.run('sync');
    await unlink(mirror.at('.files-mirror.json'));
    await mirror.write('batch/b.jsonl', batchFile(2));

    const planned = await mirror.run('plan', '--json');
    const { actions } = JSON.parse(planned.stdout) as { readonly actions: readonly PlannedAction[] };
    expect(actions.map(({ op, path }) => `${op} ${path}`)).toEqual([`! ${mirror.root}`]);
    expect(planned.code).toBe(1);
    expect((await mirror.run('sync')).code).toBe(5);
    const doctor = await mirror.run('doctor');
    expect(doctor.stdout).toMatch(/^fail {2}root: .* bears no marker/m);
  });
});
