import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { start } from './measured-process.ts';

/** One upload as the server saw it. Times: `process.hrtime` in milliseconds, comparable between processes. */
export interface Arrival {
  /** The request's head was there. */
  readonly atMs: number;
  /** Its last byte was there. */
  readonly endMs: number;
  readonly fileName: string;
  readonly bytes: number;
}

export interface Sink extends AsyncDisposable {
  /** Base URL of the Files API. */
  readonly url: string;
  /** Uploads since the last call, oldest first. */
  takeArrivals(): Promise<readonly Arrival[]>;
}

/** Starts the server that discards uploads, as a process of its own. */
export async function startSink(): Promise<Sink> {
  const program = fileURLToPath(new URL('sink-process.ts', import.meta.url));
  const child = start({ file: process.execPath, args: [program] });
  if (child.stdout === null) throw new TypeError('the sink has no output');
  const [port] = (await once(createInterface(child.stdout), 'line')) as [string];
  const origin = `http://127.0.0.1:${port}`;
  return {
    url: `${origin}/v1`,
    async takeArrivals() {
      return (await (await fetch(`${origin}/arrivals`)).json()) as Arrival[];
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}

/** Now, on the clock of `Arrival`. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
