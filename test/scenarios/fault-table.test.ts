import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { faultTable, withFaultTable } from '../support/fault-table.ts';

/** `test('…'`, `test.skipIf(…)(`…`: the quote, and the title as it stands in the source. */
const TEST_CALL =
  /\btest(?:\.\w+\((?:[^()]|\([^()]*\))*\))?\(\s*(?<quote>['"`])(?<title>(?:\\.|(?!\k<quote>).)*)\k<quote>/gs;

const literally = (text: string): string => text.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`);

/** The titles of a file's tests as patterns: what a template fills in may be anything. */
function titlesIn(testFile: string): readonly RegExp[] {
  const source = readFileSync(new URL(testFile, import.meta.url), 'utf8');
  return Array.from(source.matchAll(TEST_CALL), ({ groups }) => {
    const constantParts = (groups?.['title'] ?? '').split(/\$\{[^}]*\}/);
    return new RegExp(`^${constantParts.map(literally).join('.+')}$`);
  });
}

test.each(faultTable)('the test of "$fault" exists', ({ testFile, testTitle }) => {
  const matching = titlesIn(testFile).filter((title) => title.test(testTitle));
  expect({ testTitle, matching: matching.length }).toEqual({ testTitle, matching: 1 });
});

test('the README has the table of faults as it is', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  // A README without the markers has no such table. When this fails: node test/support/write-fault-table.ts
  expect(readme).toBe(withFaultTable(readme) ?? readme);
});
