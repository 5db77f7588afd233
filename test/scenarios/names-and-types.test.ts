/** Names, kinds and permissions of what lies in the folder (cases E of the list). */
import { chmod, mkdir, open, readFile, rename, symlink, unlink, writeFile } from 'node:fs/promises';
import { describe, test, type TestContext } from 'vitest';
import {
  openTestMirror,
  SCENARIO_TIMEOUT_MS,
  type TestMirror,
  type TestMirrorOptions,
} from '../support/blackbox/mirror-process.ts';
import { batchFile, pdfFile } from '../support/blackbox/samples.ts';

const isSuperuser = process.getuid?.() === 0;
/** Even the superuser is then refused by permissions. */
const LIKE_ANYBODY: TestMirrorOptions = isSuperuser
  ? { withoutCapabilities: ['dac_override', 'dac_read_search'] }
  : {};

const ESCAPE = '\u001b';

async function running(context: TestContext, options: TestMirrorOptions = {}): Promise<TestMirror> {
  const mirror = await openTestMirror(context, options);
  await mirror.start();
  await mirror.untilWatching();
  return mirror;
}

/** Problems by path, as `state: reason`. */
async function problemsOf(mirror: TestMirror): Promise<Record<string, string>> {
  const { problems } = await mirror.flush();
  return Object.fromEntries(problems.map(({ path, state, reason }) => [path, `${state}: ${reason}`]));
}

describe.concurrent('names', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('E1: any character that a name may have reaches the server, and no terminal obeys it', async (context) => {
    const { expect } = context;
    const mirror = await running(context);
    const names = [
      'line\nbreak.jsonl',
      'carriage\rreturn.jsonl',
      'tab\tulator.jsonl',
      '"quoted".jsonl',
      "it's.jsonl",
      '100%.jsonl',
      '%0A%22.jsonl',
      'semi;colon.jsonl',
      'back\\slash.jsonl',
      '-leading.jsonl',
      ' spaces .jsonl',
      'emoji 🙂 日本語.jsonl',
      `red ${ESCAPE}[31m bell \u0007.jsonl`,
      'x\r\nContent-Type: text\r\n\r\n.jsonl',
    ];
    // QUIRK: as the wire has it, a name that holds an escape cannot be told from one that needed it.
    const readAs = (name: string): string => name.replaceAll('%22', '"').replaceAll('%0A', '\n');
    for (const [seed, name] of names.entries()) await mirror.write(`batch/${name}`, batchFile(seed));
    await mirror.flush();
    expect(
      mirror.emulator
        .files()
        .map(({ filename }) => filename)
        .toSorted(),
    ).toEqual(names.map(readAs).toSorted());
    expect((await mirror.list()).map(({ path }) => path).toSorted()).toEqual(
      names.map((name) => `batch/${name}`).toSorted(),
    );
    const { stdout } = await mirror.run('list');
    expect(stdout.trimEnd().split('\n')).toHaveLength(names.length);
    // Anything that could command a terminal, in facts and in the log.
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    expect(mirror.logs).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    for (const name of names) await unlink(mirror.at(`batch/${name}`));
    // More than half of everything, and all of a folder: that needs a word.
    await mirror.untilStatus(({ halts }) => halts.some(({ name }) => name === 'mass-delete'));
    await (await mirror.daemon()).approve(null);
    await mirror.untilConverged({ posts: names.length, deletes: names.length });
  });

  test('E2: a name of 255 bytes is a name', async (context) => {
    const mirror = await running(context);
    await mirror.write(`batch/${'a'.repeat(249)}.jsonl`, batchFile(1));
    await mirror.write(`batch/${'é'.repeat(124)}.jsonl`, batchFile(2));
    await mirror.untilConverged({ posts: 2 });
  });

  test('E3: a name that is not UTF-8 is shown as skipped, and harms nobody', async (context) => {
    const { expect } = context;
    const mirror = await running(context);
    const shown = 'batch/bad-\ufffd.jsonl';
    const raw = Buffer.concat([
      Buffer.from(mirror.at('batch/bad-')),
      Buffer.from([0xff]),
      Buffer.from('.jsonl'),
    ]);
    await mirror.write('batch/good.jsonl', batchFile(1));
    await writeFile(raw, batchFile(2));
    await mirror.untilConverged({ except: [shown], posts: 1 });
    const [[path, reason] = []] = Object.entries(await problemsOf(mirror));
    expect(path).toMatch(/^batch\/bad-/);
    expect(reason).toMatch(/^skipped: the name is not UTF-8/);
    await mirror.expectConverged({ except: [shown], posts: 1, deletes: 0 });
    await unlink(raw);
    await mirror.untilStatus(({ problems }) => problems.length === 0);
    await mirror.untilConverged({ posts: 1, deletes: 0 });
  });

  test('E4, E5: names that differ by normalisation or case only are two files', async (context) => {
    const mirror = await running(context);
    const names = ['caf\u00e9.pdf', 'cafe\u0301.pdf', 'A.txt', 'a.txt'];
    for (const [seed, name] of names.entries()) await mirror.write(`user_data/${name}`, pdfFile(seed));
    await mirror.untilConverged({ posts: 4 });
    context.expect(await mirror.list()).toHaveLength(4);
    await unlink(mirror.at('user_data/a.txt'));
    await mirror.untilConverged({ posts: 4, deletes: 1 });
  });

  test('E6: two files of one name and one content are two remote files, each with its own id', async (context) => {
    const { expect } = context;
    const mirror = await running(context);
    await mirror.write('batch/one/same.jsonl', batchFile(1));
    await mirror.write('batch/two/same.jsonl', batchFile(1));
    await mirror.untilConverged({ posts: 2 });
    const gone = (await mirror.report('batch/one/same.jsonl'))?.id;
    await unlink(mirror.at('batch/one/same.jsonl'));
    await mirror.untilConverged({ posts: 2, deletes: 1 });
    expect(mirror.emulator.requests.deletes()[0]?.id).toBe(gone);
    expect((await mirror.report('batch/two/same.jsonl'))?.state).toBe('synced');
  });

  test('E11, E16: what lies outside of the purpose folders is shown with a hint, once', async (context) => {
    const { expect } = context;
    const mirror = await running(context);
    await mirror.write('lonely.jsonl', batchFile(1));
    await mirror.write('photos/a.png', 'x');
    await mirror.write('Batch/a.jsonl', batchFile(2));
    await mirror.write('fine_tune/a.jsonl', batchFile(3));
    expect(await problemsOf(mirror)).toEqual({
      'lonely.jsonl': expect.stringMatching(/^ignored: a file in the root itself is not mirrored/),
      photos: expect.stringMatching(/^ignored: no purpose folder of this name/),
      Batch: expect.stringContaining('did you mean "batch"?'),
      fine_tune: expect.stringContaining('did you mean "fine-tune"?'),
    });
    await mirror.expectConverged({ posts: 0 });
    expect(mirror.logs.split('"msg":"Batch: ')).toHaveLength(2);
  });

  test('E11: a file in the root is mentioned as soon as it is there, in the words of status', async (context) => {
    const mirror = await running(context, { config: { watch: { rescanSeconds: 0 } } });
    await mirror.untilWatching();
    await mirror.write('late.jsonl', batchFile(1));
    const said = 'a file in the root itself is not mirrored; move it into one of the purpose folders';
    await mirror.untilReport('late.jsonl', (report) => report?.reason?.startsWith(said) === true);
    context.expect(mirror.logs.split(`"msg":"late.jsonl: ${said}`)).toHaveLength(2);
  });

  test('E11: a folder that is mapped to a purpose is mirrored with it', async (context) => {
    const mirror = await running(context, { config: { folders: { photos: { purpose: 'user_data' } } } });
    await mirror.write('photos/a.bmp', 'BM');
    await mirror.untilConverged({ purposes: { photos: 'user_data' }, posts: 1 });
  });

  test('E12: the purpose of a nested file comes from the first folder', async (context) => {
    const mirror = await running(context);
    await mirror.write('batch/2026/11/vision/x.jsonl', batchFile(1));
    await mirror.untilConverged({ posts: 1 });
    context.expect(mirror.emulator.files()).toMatchObject([{ purpose: 'batch', filename: 'x.jsonl' }]);
  });

  test('E15: what tools leave behind is ignored, unless it is taken back', async (context) => {
    const { expect } = context;
    const mirror = await running(context, { config: { watch: { ignore: ['!*.part'] } } });
    const litter = ['.DS_Store', 'Thumbs.db', 'x.crdownload', 'x.tmp', '~$x.docx', '.x.swp', '.hidden', 'x~'];
    for (const name of [...litter, 'wanted.part']) await mirror.write(`user_data/${name}`, `this is ${name}`);
    await mirror.untilConverged({ except: litter.map((name) => `user_data/${name}`), posts: 1 });
    expect(mirror.emulator.files()).toMatchObject([{ filename: 'wanted.part' }]);
    const problems = await problemsOf(mirror);
    for (const name of litter) expect(problems[`user_data/${name}`]).toMatch(/^ignored: .+ \(default\)$/);
  });
});

describe.concurrent('kinds and permissions', { timeout: SCENARIO_TIMEOUT_MS }, () => {
  test('E7: links are named, and never followed', async (context) => {
    const { expect } = context;
    const mirror = await running(context);
    await mirror.write('batch/real.jsonl', batchFile(1));
    await writeFile(`${mirror.folder}/outside.jsonl`, batchFile(2));
    await mkdir(`${mirror.folder}/outside`);
    await writeFile(`${mirror.folder}/outside/b.jsonl`, batchFile(3));
    const targets = {
      'to-file.jsonl': 'real.jsonl',
      'to-outside.jsonl': `${mirror.folder}/outside.jsonl`,
      'to-folder': `${mirror.folder}/outside`,
      loop: '.',
      'dangling.jsonl': 'nowhere.jsonl',
    };
    for (const [name, target] of Object.entries(targets)) await symlink(target, mirror.at(`batch/${name}`));
    await mirror.untilConverged({ posts: 1 });
    expect(await problemsOf(mirror)).toEqual(
      Object.fromEntries(
        Object.keys(targets).map((name) => [
          `batch/${name}`,
          expect.stringMatching('skipped: a symbolic link, which is not followed'),
        ]),
      ),
    );
    await mirror.untilStatus(({ phase }) => phase === 'idle');
    // A link in place of a mirrored file is neither that file nor its absence.
    await rename(mirror.at('batch/real.jsonl'), `${mirror.folder}/real.jsonl`);
    await symlink(`${mirror.folder}/real.jsonl`, mirror.at('batch/real.jsonl'));
    await mirror.untilReport('batch/real.jsonl', (report) => report?.state === 'skipped');
    await mirror.expectConverged({ keeps: ['batch/real.jsonl'], posts: 1, deletes: 0 });
  });

  test('E10: a file that may not be read waits for its permission, however it is given', async (context) => {
    const { expect } = context;
    const mirror = await running(context, LIKE_ANYBODY);
    await mirror.write('batch/secret.jsonl.tmp', batchFile(1));
    await chmod(mirror.at('batch/secret.jsonl.tmp'), 0o000);
    await rename(mirror.at('batch/secret.jsonl.tmp'), mirror.at('batch/secret.jsonl'));
    await mirror.write('batch/open.jsonl', batchFile(2));
    await mirror.untilConverged({ except: ['batch/secret.jsonl'], posts: 1 });
    expect(await problemsOf(mirror)).toEqual({
      'batch/secret.jsonl': expect.stringMatching(/^skipped: unreadable: .*EACCES/),
    });
    await chmod(mirror.at('batch/secret.jsonl'), 0o644);
    await mirror.untilConverged({ posts: 2, deletes: 0 });
  });

  test('E10: files in a folder that may not be entered are found as soon as it may, though nothing rescans', async (context) => {
    const { expect } = context;
    const mirror = await running(context, { ...LIKE_ANYBODY, config: { watch: { rescanSeconds: 0 } } });
    await mirror.write('batch/inner/a.jsonl', batchFile(1));
    await mirror.write('batch/inner/deep/b.jsonl', batchFile(2));
    await mirror.untilConverged({ posts: 2 });
    await chmod(mirror.at('batch/inner'), 0o000);
    context.onTestFinished(() => chmod(mirror.at('batch/inner'), 0o755));
    await mirror.untilStatus(({ counts }) => counts.skipped > 0);
    // A file below it may have been looked at before the folder was found to be closed: then it is told as well.
    const folder = expect.objectContaining({ path: 'batch/inner', state: 'skipped' }) as unknown;
    expect((await mirror.flush()).problems).toContainEqual(folder);
    await chmod(mirror.at('batch/inner'), 0o755);
    await mirror.untilStatus(({ counts }) => counts.skipped === 0);
    await mirror.write('batch/inner/a.jsonl', batchFile(3));
    await mirror.untilConverged({ posts: 3, deletes: 1 });
  });

  test('E14: a sparse file of 600 MB meets the size rule, and costs no memory', async (context) => {
    const { expect } = context;
    const mirror = await running(context);
    const file = await open(mirror.at('user_data/sparse.bin'), 'w');
    await file.truncate(600_000_000);
    await file.close();
    const report = await mirror.untilReport('user_data/sparse.bin', (found) => found?.state === 'rejected');
    expect(report?.reason).toContain('600,000,000 bytes');
    await mirror.expectConverged({ except: ['user_data/sparse.bin'], posts: 0 });
    if (process.platform !== 'linux') return;
    const peak = /^VmHWM:\s+(\d+) kB/m.exec(
      await readFile(`/proc/${mirror.process.pid}/status`, 'utf8'),
    )?.[1];
    expect(Number(peak)).toBeLessThan(300_000);
  });
});
