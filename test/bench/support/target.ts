import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { start } from './measured-process.ts';

/** A server to upload to, as a process of its own. */
export interface Target extends AsyncDisposable {
  /** Base URL of the Files API. */
  readonly url: string;
}

/** Starts a program of this folder that prints the base URL of the server it runs. */
export async function startTarget(
  program: 'sink' | 'emulator',
  args: readonly string[] = [],
): Promise<Target> {
  const file = fileURLToPath(new URL(`${program}-process.ts`, import.meta.url));
  const child = start({ file: process.execPath, args: [file, ...args] }, 'pipe');
  if (child.stdout === null) throw new TypeError('the server has no output');
  const [url] = (await once(createInterface(child.stdout), 'line')) as [string];
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}
