import { homedir } from 'node:os';
import type { Writable } from 'node:stream';
import { once } from 'node:events';
import type { Environment } from '../config/config.ts';

/** What a verb may touch of the world around the process; tests give their own. */
export interface Io {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly stderrIsTerminal: boolean;
  readonly env: Environment;
  readonly cwd: string;
  readonly homeDir: string;
}

export function processIo(): Io {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    stderrIsTerminal: process.stderr.isTTY,
    env: process.env,
    cwd: process.cwd(),
    homeDir: homedir(),
  };
}

const begun = new WeakSet<Writable>();

/** Has anything been written to stdout? */
export function hasPrinted({ stdout }: Pick<Io, 'stdout'>): boolean {
  return begun.has(stdout);
}

/** Writes facts; resolves when the reader can take more. */
export async function print(io: Io, text: string | Uint8Array): Promise<void> {
  begun.add(io.stdout);
  if (io.stdout.write(text) || io.stdout.destroyed) return;
  const settled = new AbortController();
  const options = { signal: settled.signal };
  try {
    await Promise.race([once(io.stdout, 'drain', options), once(io.stdout, 'close', options)]);
  } finally {
    // Takes the listener off that did not fire.
    settled.abort();
  }
}

/** A line for people, beside the facts. */
export function tell(io: Pick<Io, 'stderr'>, line: string): void {
  io.stderr.write(`${line}\n`);
}
