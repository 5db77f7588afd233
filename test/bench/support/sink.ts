import { startTarget, type Target } from './target.ts';

/** One upload as the server saw it. Times: `process.hrtime` in milliseconds, comparable between processes. */
export interface Arrival {
  /** The request's head was there. */
  readonly atMs: number;
  /** Its last byte was there. */
  readonly endMs: number;
  readonly fileName: string;
  readonly bytes: number;
}

export interface Sink extends Target {
  /** Uploads since the last call, oldest first. */
  takeArrivals(): Promise<readonly Arrival[]>;
}

/** Starts the server that discards uploads, as a process of its own. */
export async function startSink(): Promise<Sink> {
  const target = await startTarget('sink');
  return {
    ...target,
    async takeArrivals() {
      return (await (await fetch(new URL('/arrivals', target.url))).json()) as Arrival[];
    },
  };
}

/** Now, on the clock of `Arrival`. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
