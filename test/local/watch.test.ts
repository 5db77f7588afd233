import fs from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createIgnoreRules } from '../../src/local/ignore-rules.ts';
import { HintRecorder } from './hint-recorder.ts';

async function watching(prepare?: (recorder: HintRecorder) => void): Promise<HintRecorder> {
  const recorder = new HintRecorder();
  prepare?.(recorder);
  await recorder.ready();
  return recorder;
}

const write = (recorder: HintRecorder, path: string, content = 'x') => {
  fs.mkdirSync(dirname(recorder.at(path)), { recursive: true });
  fs.writeFileSync(recorder.at(path), content);
};

describe('native watching hints at', () => {
  test('a file that is created, written, touched, made readable and removed', async () => {
    const recorder = await watching();
    const path = 'batch/a.jsonl';
    const changes: (() => void)[] = [
      () => fs.writeFileSync(recorder.at(path), 'one'),
      () => fs.appendFileSync(recorder.at(path), 'two'),
      () => fs.utimesSync(recorder.at(path), 1, 1),
      () => fs.chmodSync(recorder.at(path), 0o000),
      () => fs.chmodSync(recorder.at(path), 0o644),
      () => fs.truncateSync(recorder.at(path), 0),
      () => fs.unlinkSync(recorder.at(path)),
    ];
    for (const change of changes) {
      recorder.forget();
      change();
      await recorder.path(path);
    }
  });

  test('both names of a rename, and the target of an atomic save', async () => {
    const recorder = await watching();
    write(recorder, 'batch/a.jsonl');
    await recorder.path('batch/a.jsonl');
    recorder.forget();
    fs.renameSync(recorder.at('batch/a.jsonl'), recorder.at('batch/b.jsonl'));
    await recorder.path('batch/a.jsonl', 'batch/b.jsonl');
    recorder.forget();
    write(recorder, 'batch/.b.jsonl.Ab12');
    fs.renameSync(recorder.at('batch/.b.jsonl.Ab12'), recorder.at('batch/b.jsonl'));
    await recorder.path('batch/b.jsonl');
  });

  test('a file that was linked into place from its part file', async () => {
    const recorder = await watching();
    write(recorder, 'batch/x.filepart');
    fs.linkSync(recorder.at('batch/x.filepart'), recorder.at('batch/x'));
    fs.unlinkSync(recorder.at('batch/x.filepart'));
    await recorder.path('batch/x');
  });

  test('files of a directory that was moved in, and again after it was moved within', async () => {
    const recorder = await watching();
    const outside = `${recorder.root}-outside`;
    fs.mkdirSync(`${outside}/deep`, { recursive: true });
    fs.writeFileSync(`${outside}/deep/a.jsonl`, '');
    fs.renameSync(outside, recorder.at('batch/in'));
    await recorder.path('batch/in/deep/a.jsonl');
    fs.renameSync(recorder.at('batch/in'), recorder.at('batch/out'));
    await recorder.path('batch/in', 'batch/out/deep/a.jsonl');
    recorder.forget();
    // The directories are watched under their new names, too.
    await appears(recorder, 'batch/out/deep/b.jsonl');
  });

  test('a directory that is removed and made anew at once', async () => {
    const recorder = await watching(({ root }) => fs.mkdirSync(`${root}/batch/d`));
    fs.rmdirSync(recorder.at('batch/d'));
    fs.mkdirSync(recorder.at('batch/d'));
    await recorder.path('batch/d');
    await appears(recorder, 'batch/d/a.jsonl');
  });

  test('every file of 500 deep directories that appear at once', async () => {
    const recorder = await watching();
    const paths = Array.from({ length: 500 }, (_, index) => `batch/${index}/b/c/f.jsonl`);
    paths.forEach((path) => write(recorder, path));
    await recorder.path(...paths);
    await appears(recorder, 'batch/499/b/c/later.jsonl');
  });

  test('files below more directories than are taken in at a time', async () => {
    const paths = Array.from({ length: 100 }, (_, index) => `batch/${index % 10}/${index}/a.jsonl`);
    const recorder = await watching((fresh) => paths.forEach((path) => write(fresh, path)));
    paths.forEach((path) => fs.appendFileSync(recorder.at(path), 'more'));
    await recorder.path(...paths);
    recorder.forget();
    fs.rmSync(recorder.at('batch/3'), { recursive: true });
    await recorder.path('batch/3');
    write(recorder, 'batch/3/33/a.jsonl');
    await recorder.path('batch/3/33/a.jsonl');
  });

  test('a purpose folder that appears and vanishes', async () => {
    const recorder = await watching();
    write(recorder, 'vision/a.png');
    await recorder.path('vision/a.png');
    recorder.forget();
    await appears(recorder, 'vision/b.png');
    fs.rmSync(recorder.at('vision'), { recursive: true });
    await recorder.path('vision');
  });

  test('the folder of a name that is no UTF-8, which an event cannot spell', async () => {
    const recorder = await watching();
    fs.writeFileSync(Buffer.concat([Buffer.from(`${recorder.root}/batch/`), Buffer.from([0xff])]), '');
    await recorder.until(() => recorder.hints.some((hint) => hint.kind === 'tree' && hint.path === 'batch'));
  });

  test('nothing in folders that are not configured, and in ignored ones', async () => {
    const recorder = await watching(({ root }) => {
      fs.mkdirSync(`${root}/photos`);
      fs.mkdirSync(`${root}/batch/.git`);
    });
    write(recorder, 'photos/a.png');
    write(recorder, 'batch/.git/config');
    write(recorder, 'batch/a.jsonl');
    await recorder.path('batch/a.jsonl');
    expect(recorder.hints).not.toContainEqual({ kind: 'path', path: 'photos/a.png' });
    expect(recorder.hints).not.toContainEqual({ kind: 'path', path: 'batch/.git/config' });
  });
});

describe('native watching hints at everything', () => {
  test('when the ignore rules change, and then watches what they let in', async () => {
    const recorder = await watching(({ root }) => fs.mkdirSync(`${root}/batch/.shown`));
    fs.writeFileSync(recorder.at('.filesignore'), '!.shown\n');
    await recorder.everything('the watcher is ready');
    write(recorder, 'batch/.shown/a.jsonl');
    await recorder.path('batch/.shown/a.jsonl');
  });

  test('when a scan was first to read the changed ignore rules', async () => {
    const rules = createIgnoreRules({ root: '/nowhere', patterns: [] });
    let revision = 0;
    const recorder = new HintRecorder({ rules: { ...rules, reload: () => false, revision: () => revision } });
    await recorder.ready();
    revision = 1;
    fs.writeFileSync(recorder.at('.filesignore'), '*.csv\n');
    await recorder.everything('the watcher is ready');
  });

  test('when the marker changes', async () => {
    const recorder = await watching();
    fs.writeFileSync(recorder.at('.files-mirror.json'), '{}');
    await recorder.everything('the marker of the root changed');
  });

  test('when the root is renamed away; and watches it again when it is back', async () => {
    const recorder = await watching();
    fs.renameSync(recorder.root, `${recorder.root}-away`);
    await recorder.until(() => recorder.states.at(-1)?.watching === 'waiting for the root');
    expect(recorder.hints.some((hint) => hint.kind === 'everything')).toBe(true);
    recorder.forget();
    fs.renameSync(`${recorder.root}-away`, recorder.root);
    await recorder.everything('the watcher is ready');
    write(recorder, 'batch/back.jsonl');
    await recorder.path('batch/back.jsonl');
  });

  test('when the root is replaced by another directory at once', async () => {
    const recorder = await watching();
    fs.renameSync(recorder.root, `${recorder.root}-old`);
    fs.mkdirSync(recorder.at('batch'), { recursive: true });
    await recorder.everything('the watcher is ready');
    write(recorder, 'batch/new.jsonl');
    await recorder.path('batch/new.jsonl');
  });

  test('when it starts before there is a root, as soon as there is one', async () => {
    const root = `${new HintRecorder({ mode: 'off' }).root}-later`;
    const recorder = new HintRecorder({ root });
    await recorder.until(() => recorder.states.at(-1)?.watching === 'waiting for the root');
    fs.mkdirSync(`${root}/batch`, { recursive: true });
    await recorder.ready();
    write(recorder, 'batch/a.jsonl');
    await recorder.path('batch/a.jsonl');
  });
});

test('nothing is hinted after it was stopped', async () => {
  const recorder = await watching();
  await recorder.stop();
  write(recorder, 'batch/a.jsonl');
  await new Promise((resolve) => setImmediate(resolve));
  expect(recorder.hints).toEqual([]);
});

test('off: says so, and is over', async () => {
  const recorder = new HintRecorder({ mode: 'off' });
  await recorder.done;
  expect(recorder.states).toEqual([{ watching: 'off', warning: null }]);
});

/** The directory may be about to be watched only: then it is hinted at as a tree once it is. */
async function appears(recorder: HintRecorder, path: string): Promise<void> {
  recorder.forget();
  write(recorder, path);
  await recorder.path(path);
}
