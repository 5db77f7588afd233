/** Two hundred files as people have them: every purpose, and every awkwardness that a name may have. */
import { batchFile, evalsFile, fineTuneFile, pdfFile, pngFile } from './samples.ts';

const BIG_BYTES = 60 * 1024 * 1024;

const AWKWARD_NAMES: readonly string[] = [
  'with spaces.md',
  '"double" and \'single\'.md',
  '100% sure.md',
  'line\nbreak.md',
  'emoji 🙂.md',
  '-leading-dash.md',
  '; rm -rf $HOME.md',
  'trailing space .md',
  'ünïcödé 日本語.md',
  `${'n'.repeat(252)}.md`,
];

/** Contents by path, the same every time. Two of them are empty. */
export function mixedTree(): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>();
  const add = (count: number, pathOf: (n: number) => string, contentOf: (n: number) => Buffer): void => {
    for (let n = 0; n < count; n += 1) files.set(pathOf(n), contentOf(n));
  };
  add(
    40,
    (n) => `batch/2026/${n % 4}/jobs-${n}.jsonl`,
    (n) => batchFile(n, 1 + (n % 5)),
  );
  add(20, (n) => `fine-tune/set-${n}.jsonl`, fineTuneFile);
  add(10, (n) => `evals/eval-${n}.jsonl`, evalsFile);
  add(
    30,
    (n) => `vision/${n % 3}/deep/er/image-${n}.png`,
    (n) => pngFile(n, 1000 + n),
  );
  add(40, (n) => `assistants/papers/paper-${n}.pdf`, pdfFile);
  add(
    20,
    (n) => `user_data/tables/table-${n}.csv`,
    (n) => Buffer.from(`n,square\n${n},${n * n}\n`),
  );
  add(
    AWKWARD_NAMES.length,
    (n) => `assistants/notes/${AWKWARD_NAMES[n]}`,
    (n) => Buffer.from(`# Note ${n}\n`),
  );
  add(
    20,
    (n) => `user_data/${n % 2 === 0 ? 'left' : 'right'}/same-name-${n >> 1}.md`,
    (n) => Buffer.from(`${n >> 2}`),
  );
  add(
    7,
    (n) => `user_data/plain-${n}`,
    (n) => Buffer.from([n, 0, 255]),
  );
  add(
    2,
    (n) => `user_data/empty-${n}.txt`,
    () => Buffer.alloc(0),
  );
  files.set('user_data/big.bin', Buffer.alloc(BIG_BYTES, 'sixty megabytes '));
  return files;
}
