/**
 * `npm run build`: the program and all that it uses as a few files in `dist`. Node takes longer to find and link three
 * hundred small modules than to run any short command.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type InputOptions, type Plugin } from 'rolldown';

const PACKAGE_FOLDER = /^.*[/\\]node_modules[/\\](?:@[^/\\]+[/\\])?[^/\\]+/;

/**
 * Node's own modules as what `require` would give: to `import` one it looks at each of its exports, and loads half of
 * itself on the way, e.g. all of `fetch` for `node:http`, which takes twice as long as `node -e 0`.
 */
const builtins: Plugin = {
  name: 'builtins',
  renderChunk: (code) =>
    code.replaceAll(
      /^import (?:(\w+)(?:, )?)?(?:\{(.*?)\} )?\s*from "(node:[\w/]+)";$/gm,
      (_, all: string | undefined, some: string | undefined, name: string) => {
        const module = `process.getBuiltinModule("${name}")`;
        return [
          ...(all === undefined ? [] : [`const ${all} = ${module};`]),
          ...(some === undefined ? [] : [`const {${some.replaceAll(' as ', ': ')}} = ${module};`]),
        ].join(' ');
      },
    ),
};

/**
 * All that the help measures is plain ASCII. The package that knows the width of emoji, twice as large as the parser of
 * the command line, took a third of `--help`.
 */
const plainWidth: Plugin = {
  name: 'plain-width',
  resolveId: (id) => (id === 'string-width' ? '\0string-width' : null),
  load: (id) => (id === '\0string-width' ? 'export default (text) => text.length;' : null),
};

const common: InputOptions = {
  plugins: [builtins, plainWidth],
  platform: 'node',
  resolve: { mainFields: ['module', 'main'] },
  tsconfig: true,
  // What Node 22 understands.
  transform: { target: 'es2024' },
  logLevel: 'warn',
};

await rm('dist', { recursive: true, force: true });
const { output } = await build({
  ...common,
  input: {
    main: 'src/main.ts',
    // Threads are started from a file.
    'check-worker': 'src/checks/check-worker.ts',
    'hash-worker': 'src/local/hash-worker.ts',
    // The crash tests put their fail points between these two.
    'run-process': 'src/cli/run-process.ts',
    compose: 'src/compose.ts',
  },
  output: { dir: 'dist', format: 'esm' },
});
await build({
  ...common,
  input: 'src/entry.cts',
  external: ['./main.js', '../package.json'],
  output: { file: 'dist/entry.cjs', format: 'cjs' },
});

/** Their terms demand that they go with the code. */
const licenses = new Map<string, string>();
for (const id of output.flatMap((chunk) => (chunk.type === 'chunk' ? chunk.moduleIds : []))) {
  const folder = PACKAGE_FOLDER.exec(id)?.[0];
  if (folder === undefined || licenses.has(folder)) continue;
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly name: string;
    readonly version: string;
  };
  const files = readdirSync(folder).filter((file) => /^licen[cs]e/i.test(file));
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8'));
  licenses.set(folder, [`${name} ${version}`, ...texts].join('\n\n'));
}
writeFileSync('dist/LICENSES.txt', [...licenses.values()].join('\n'));
