/** What the verbs say beside a process that answers nobody: a daemon that was stopped, or a `sync` at work. */
import { describe, test } from 'vitest';
import type { LastKnownState } from '../../src/service/status-text.ts';
import { openTestMirror, SCENARIO_TIMEOUT_MS, type TestMirror } from '../support/blackbox/mirror-process.ts';
import { batchFile } from '../support/blackbox/samples.ts';

/** A few seconds, on a machine that is busy otherwise. */
const A_FEW_SECONDS_MS = 20_000;

async function timed<T>(work: Promise<T>): Promise<readonly [T, number]> {
  const startedMs = performance.now();
  return [await work, performance.now() - startedMs];
}

/** Uploads hang at the server until it is let go on. */
function hangUploads(mirror: TestMirror): void {
  mirror.emulator.faults.add({ match: { method: 'POST' }, act: { kind: 'hang', at: 'body' } });
}

describe.concurrent('a daemon that was stopped by a signal', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('keeps nobody waiting: what was recorded is told, and who does not answer', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.write('batch/wrong.jsonl', 'not JSON');
    await mirror.start();
    await mirror.flush();
    const { pid } = mirror.process;
    const id = (await mirror.run('id', 'batch/a.jsonl')).stdout;
    mirror.process.signal('SIGSTOP');
    const silent = `the daemon (pid ${pid}) does not answer`;

    const [[status, statusMs], json, list, idAgain] = await Promise.all([
      timed(mirror.run('status')),
      mirror.run('status', '--json'),
      mirror.run('list'),
      mirror.run('id', 'batch/a.jsonl'),
    ]);
    expect(statusMs).toBeLessThan(A_FEW_SECONDS_MS);
    expect(status.code).toBe(3);
    expect(status.stdout).toContain(`${silent}; this is what was recorded last`);
    expect(status.stdout).toMatch(new RegExp(`^next +.*kill -CONT ${pid}$`, 'm'));
    expect(status.stdout).toMatch(/^files +1 mirrored, 1 rejected$/m);
    expect(status.stdout).toMatch(/^rejected {2}batch\/wrong\.jsonl: line 1/m);
    expect(JSON.parse(json.stdout) as LastKnownState).toMatchObject({
      running: false,
      process: { pid, verb: 'run', answers: false },
      files: 1,
    });
    expect(list.code).toBe(0);
    expect(list.stdout).toContain('batch/a.jsonl');
    expect(list.stderr).toContain(silent);
    expect(idAgain).toMatchObject({ code: 0, stdout: id });
    expect(idAgain.stderr).toContain(silent);

    const verbs = ['flush', 'approve', 'pause', 'resume', 'rescan', 'retry', 'verify'];
    for (const [exit, tookMs] of await Promise.all(verbs.map((verb) => timed(mirror.run(verb))))) {
      expect(exit.code, exit.stderr).toBe(3);
      expect(exit.stderr).toContain(
        `${silent}; it was stopped by a signal; let it go on with: kill -CONT ${pid}`,
      );
      expect(tookMs).toBeLessThan(A_FEW_SECONDS_MS);
    }
    for (const verb of ['run', 'sync']) {
      const exit = await mirror.run(verb);
      expect(exit.code, exit.stderr).toBe(6);
      expect(exit.stderr).toContain(`pid ${pid}`);
      expect(exit.stderr).toContain(`kill -CONT ${pid}`);
    }
    expect((await mirror.run('doctor')).stdout).toContain(`fail  daemon: ${silent}`);

    mirror.process.signal('SIGCONT');
    await mirror.expectConverged({ except: ['batch/wrong.jsonl'], posts: 1 });
  });

  test('while it is waited for, breaks off the wait', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    hangUploads(mirror);
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.start();
    await mirror.untilStatus(({ counts }) => counts.uploading === 1);
    const flush = mirror.run('flush');
    await mirror.until(
      () => mirror.emulator.requests.uploads().length,
      (count) => count === 1,
    );
    mirror.process.signal('SIGSTOP');
    const [{ code, stderr }, tookMs] = await timed(flush);
    expect(code).toBe(3);
    expect(stderr).toContain('does not answer');
    expect(tookMs).toBeLessThan(40_000);
  });
});

describe.concurrent('an upload that is on its way', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('is not unsure to a daemon', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    hangUploads(mirror);
    await mirror.write('batch/a.jsonl', batchFile(1));
    await mirror.start();
    const status = await mirror.untilStatus(({ openIntents }) => openIntents === 1);
    expect(status.unsureUploads).toBe(0);
    expect((await mirror.run('status')).stdout).not.toContain('unsure');
    await mirror.kill9();
    expect((await mirror.run('status')).stdout).toMatch(/^unsure +1 upload whose end is not known yet$/m);
    const [report] = await mirror.list();
    expect(report).toMatchObject({ path: 'batch/a.jsonl', state: 'pending', needs: 'time' });
  });

  test('is not unsure while a sync runs, and status says that it does', async (context) => {
    const { expect } = context;
    const mirror = await openTestMirror(context);
    hangUploads(mirror);
    await mirror.write('batch/a.jsonl', batchFile(1));
    const sync = mirror.begin('sync');
    await mirror.until(
      () => mirror.emulator.requests.uploads().length,
      (count) => count === 1,
    );
    const { code, stdout } = await mirror.run('status');
    expect(code).toBe(3);
    expect(stdout).toContain(`sync (pid ${sync.pid}) is at work`);
    expect(stdout).not.toContain('unsure');
    const json = JSON.parse((await mirror.run('status', '--json')).stdout) as LastKnownState;
    expect(json.process).toMatchObject({ pid: sync.pid, verb: 'sync' });
    const flush = await mirror.run('flush');
    expect(flush.code).toBe(3);
    expect(flush.stderr).toContain(`sync (pid ${sync.pid}) is at work`);
    sync.signal('SIGKILL');
    await sync.exit();
    expect((await mirror.run('status')).stdout).toMatch(/^running +no; this is what was recorded last$/m);
  });
});
