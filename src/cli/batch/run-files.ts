import { constants, existsSync, realpathSync } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { describeError } from '../../contract/errno.ts';
import { UsageError } from '../verb.ts';

/** Where a run reads and writes; absolute. */
export interface RunFiles {
  readonly file: string;
  readonly output: string;
  readonly errors: string;
}

/** Throws `UsageError` when the one would be the other. */
export function runFiles(file: string, output: string | undefined, cwd: string): RunFiles {
  const input = named(resolve(cwd, file));
  const stem = input.replace(/\.jsonl$/i, '');
  const wanted = output === undefined ? `${stem}.output.jsonl` : named(resolve(cwd, output));
  const errors = `${wanted.replace(/(\.output)?\.jsonl$/i, '')}.errors.jsonl`;
  if ([wanted, errors].includes(input) || wanted === errors)
    throw new UsageError(`${output ?? file}: the answers would overwrite the requests; give another -o`);
  return { file: input, output: wanted, errors };
}

/** One name for one file, however its folder was reached. A link is a name of its own. */
function named(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path;
  }
}

/** Before money is spent. Throws `UsageError` when the answers could not be written. */
export async function requirePlace({ output, errors }: RunFiles, force: boolean): Promise<void> {
  const folder = dirname(output);
  await access(folder, constants.W_OK | constants.X_OK).catch((error: unknown) => {
    throw new UsageError(`${folder}: the answers cannot be written there: ${describeError(error)}`);
  });
  for (const path of [output, errors]) {
    if (!existsSync(path)) continue;
    if (!(await stat(path)).isFile()) throw new UsageError(`${path} is no file; give another -o`);
    if (!force) throw new UsageError(`${path} is there already; give another -o, or --force to replace it`);
  }
}
