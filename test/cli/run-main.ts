import { Writable } from 'node:stream';
import type { Compose } from '../../src/cli/context.ts';
import { main } from '../../src/cli/main.ts';

export interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs one command line in this process, with all the program's parts or with those given. */
export async function runMain(
  argv: readonly string[],
  {
    cwd,
    env = {},
    compose = () => import('../../src/compose.ts'),
  }: {
    readonly cwd: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly compose?: () => Promise<Compose>;
  },
): Promise<Result> {
  const texts = { out: '', err: '' };
  const into = (name: 'out' | 'err') =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        texts[name] += chunk.toString();
        done();
      },
    });
  const io = { stdout: into('out'), stderr: into('err'), stderrIsTerminal: false, env, cwd, homeDir: cwd };
  const code = await main(argv, io, compose);
  return { code, ...texts };
}
