import { expect, test } from 'vitest';
import type { RootLook } from '../../src/contract/types.ts';
import { rootTrouble } from '../../src/mirror/judge/root-trouble.ts';
import { entry, garbage, intent } from '../manifest/samples.ts';

const PATH = 'batch/a.jsonl';
const NOTHING = { files: new Map(), intents: new Map(), garbage: new Map() };
const remembered = {
  nothing: NOTHING,
  'a file': { ...NOTHING, files: new Map([[PATH, entry('f')]]) },
  'an open upload': { ...NOTHING, intents: new Map([[PATH, intent(1)]]) },
  'a file that is still to be deleted': { ...NOTHING, garbage: new Map([['f', garbage(PATH)]]) },
};
const looks: readonly RootLook[] = [
  { kind: 'ok', device: '1' },
  { kind: 'unmarked', device: '1' },
  { kind: 'bad', reason: 'it is gone' },
];

const rows = looks.flatMap((look) =>
  Object.entries(remembered).map(([what, view]) => {
    const whenUnmarked = what === 'nothing' ? null : expect.stringContaining('may not be mounted');
    const trouble = { ok: null, unmarked: whenUnmarked, bad: 'it is gone' }[look.kind] as string | null;
    return { kind: look.kind, what, look, view, trouble };
  }),
);

test.each(rows)('a root that is $kind while $what is remembered', ({ look, view, trouble }) => {
  expect(rootTrouble(look, view)).toEqual(trouble);
});
