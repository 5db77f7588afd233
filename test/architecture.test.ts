import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../src/', import.meta.url));

/** The rooms of the engine, each above those before it. */
const ENGINE = [
  'mirror/judge',
  'mirror/memory',
  'mirror/waiting',
  'mirror/acts',
  'mirror/loop',
  'mirror/offline',
  'mirror',
];

/** The rooms that are put together; `compose.ts` and the folder of its name alone know them all. */
const PARTS = [
  'contract',
  ...ENGINE,
  'batches',
  'checks',
  'local',
  'remote',
  'manifest',
  'queue',
  'config',
  'emulator',
  'service',
];

/** Who may import whom (`src/README.md`). A room may always import itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  ...Object.fromEntries(ENGINE.map((room, floor) => [room, ['contract', ...ENGINE.slice(0, floor)]])),
  // A loop of its own: what no engine runs for knows nothing of the engine's.
  'mirror/offline': ['contract', 'mirror/judge', 'mirror/memory', 'mirror/acts'],
  batches: ['contract'],
  checks: ['contract'],
  local: ['contract'],
  remote: ['contract'],
  manifest: ['contract'],
  queue: ['contract'],
  config: ['contract'],
  emulator: [],
  service: ['contract', 'config'],
  cli: ['contract', 'mirror/judge', 'mirror/offline', 'config', 'service', 'compose.ts'],
  compose: PARTS,
  'compose.ts': ['compose', ...PARTS],
  'main.ts': ['cli', 'service', 'compose.ts'],
};

/** Packages that speak a language rather than do a job: any room may. */
const SHARED_PACKAGES = new Set(['zod']);

interface Import {
  readonly file: string;
  readonly room: string;
  readonly target: string;
}

/** A folder, or a file at the top; in `mirror/` the folders below it are rooms of their own. */
function roomOf(file: string): string {
  const [top = file, next = ''] = file.split(sep);
  return top === 'mirror' && !next.endsWith('.ts') ? `${top}/${next}` : top;
}

const isEngine = (room: string): boolean => room === 'contract' || ENGINE.includes(room);

function importsOf(file: string): Import[] {
  const source = readFileSync(join(SRC, file), 'utf8');
  const pattern =
    /(?:^|\s)(?:import|export)\s[^;]*?from\s*'([^']+)'|\bimport\s*\(\s*'([^']+)'\s*\)|^import\s+'([^']+)'/gm;
  return [...source.matchAll(pattern)].map((match) => ({
    file,
    room: roomOf(file),
    target: match[1] ?? match[2] ?? match[3] ?? '',
  }));
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const imports = files.flatMap(importsOf);

function roomOfImport({ file, target }: Import): string {
  return roomOf(relative(SRC, normalize(join(SRC, dirname(file), target))));
}

describe('the house', () => {
  test('the engine asks in one place whether it survives an error, so that no catch keeps a fatal one to itself', () => {
    const judges = files.filter(
      (file) => isEngine(roomOf(file)) && /instanceof Fault/.test(readFileSync(join(SRC, file), 'utf8')),
    );
    expect(judges).toEqual(['contract/faults.ts', 'mirror/memory/ledger.ts']);
  });

  test('every import is found, so that the rules below mean something', () => {
    expect(imports.length).toBeGreaterThan(300);
    expect(new Set(imports.map(({ room }) => room))).toEqual(new Set(Object.keys(MAY_IMPORT)));
  });

  test('a room imports only the rooms that it may know', () => {
    const forbidden = imports
      .filter(({ target }) => target.startsWith('.') && target !== '../../package.json')
      .filter(
        (each) => roomOfImport(each) !== each.room && !MAY_IMPORT[each.room]?.includes(roomOfImport(each)),
      )
      .map(({ file, target }) => `${file} imports ${target}`);
    expect(forbidden).toEqual([]);
  });

  test('the engine and what it promises import nothing from outside their rooms, not even from Node', () => {
    const outside = imports
      .filter((each) => isEngine(each.room) && !(each.target.startsWith('.') && isEngine(roomOfImport(each))))
      .map(({ file, target }) => `${file} imports ${target}`);
    expect(outside).toEqual([]);
  });

  test('the loop of batches imports what is promised and itself alone; only its results know a disk', () => {
    const outside = imports
      .filter(({ file }) => file.startsWith('batches/') && !file.startsWith('batches/results/'))
      .filter(({ target }) => !/^\.\/[\w-]+\.ts$|^\.\.\/contract\//.test(target))
      .map(({ file, target }) => `${file} imports ${target}`);
    expect(outside).toEqual([]);
  });

  test('each npm package is imported by one room', () => {
    const rooms = Map.groupBy(
      imports.filter(({ target }) => !target.startsWith('.') && !target.startsWith('node:')),
      ({ target }) =>
        target
          .split('/')
          .slice(0, target.startsWith('@') ? 2 : 1)
          .join('/'),
    );
    const shared = [...rooms]
      .filter(([name, each]) => !SHARED_PACKAGES.has(name) && new Set(each.map(({ room }) => room)).size > 1)
      .map(([name, each]) => `${name}: ${[...new Set(each.map(({ room }) => room))].join(', ')}`);
    expect(shared).toEqual([]);
  });

  test('no file is named for a drawer instead of an idea', () => {
    const drawers = files.filter((file) => /(^|\/)(utils?|helpers?|common|misc|index)\.ts$/.test(file));
    expect(drawers).toEqual([]);
  });
});
