/** Every command that a text of the program names is one that there is, and comes with the options it needs. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { verbs } from '../../src/cli/verbs.ts';

interface Named {
  readonly file: string;
  readonly words: readonly string[];
}

const sources = new Map(
  readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => [name, readFileSync(join('src', name), 'utf8')]),
);

/** Calls of `command` with all that is literal in them, e.g. `['run', '--init']`. */
function namedCommands(): readonly Named[] {
  return [...sources].flatMap(([file, text]) =>
    [...text.matchAll(/\bcommand\(\s*('[\s\S]*?)\)(?=[;},\s`])/g)].map(([, call = '']) => ({
      file,
      words: [...call.matchAll(/'([^']+)'/g)].map(([, word = '']) => word),
    })),
  );
}

test('each has a verb and options that there are', async () => {
  const named = namedCommands();
  expect(named.length).toBeGreaterThan(15);
  for (const { file, words } of named) {
    const [name = '', ...rest] = words;
    const entry = verbs.get(name);
    expect(entry, `${file}: ${words.join(' ')}`).toBeDefined();
    const { options } = (await entry?.load())?.verb ?? { options: {} };
    for (const word of rest.filter((each) => each.startsWith('--')))
      expect(Object.keys(options), `${file}: ${words.join(' ')}`).toContain(word.slice(2));
  }
});

test('none is written by hand, where the options of the process that prints it would be missing', () => {
  const byHand = new RegExp(`files-mirror (${[...verbs.keys()].join('|')})\\b`);
  for (const [file, text] of sources) {
    const lines = text.split('\n').filter((line) => !/^\s*(\*|\/\/|\/\*)/.test(line));
    expect(
      lines.filter((line) => byHand.test(line)),
      `in ${file}`,
    ).toEqual([]);
  }
});
