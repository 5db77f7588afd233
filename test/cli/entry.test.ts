/** The file that `files-mirror` starts with, as built: what a Node says that is too old for the rest. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { removeFolder } from '../support/blackbox/remove-folder.ts';

const ENTRY = fileURLToPath(new URL('../../dist/entry.cjs', import.meta.url));
const exec = promisify(execFile);

/** Starts it on this Node, which says that it is another one. `.ci/installed` does the same with a real old one. */
async function startOn(version: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'entry-'));
  onTestFinished(() => removeFolder(folder));
  const disguise = join(folder, 'disguise.cjs');
  const versions = `{ ...process.versions, node: '${version}' }`;
  await writeFile(
    disguise,
    `Object.defineProperties(process, { versions: { value: ${versions} }, version: { value: 'v${version}' } });`,
  );
  try {
    return { code: 0, ...(await exec(process.execPath, ['--require', disguise, ENTRY, '--help'])) };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

describe('a Node that is too old', () => {
  test.for(['12.22.12', '18.20.8', '20.20.2', '22.21.1'])(
    '%s: one line names the version needed',
    async (v) => {
      const { code, stdout, stderr } = await startOn(v);
      expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
      expect(stderr).toBe(`files-mirror: needs Node.js 22.22 or newer; ${process.execPath} is v${v}\n`);
    },
  );

  test.for(['22.22.0', '22.23.3', '23.0.0', '24.21.0'])('%s is not', async (v) => {
    const { code, stdout, stderr } = await startOn(v);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^files-mirror <verb>/);
  });
});
