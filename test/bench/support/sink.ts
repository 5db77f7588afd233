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

/** Deletes as the server saw them, from the first one's arrival to the last one's answer. */
export interface SeenDeletes {
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

export interface Sink extends Target {
  /** Uploads since the last call, oldest first. */
  takeArrivals(): Promise<readonly Arrival[]>;
  /** Those since the last call. */
  takeDeletes(): Promise<SeenDeletes>;
}

/** Starts the server that discards uploads, as a process of its own. `deleteMs`: how long a delete takes there. */
export async function startSink(deleteMs = 0): Promise<Sink> {
  const target = await startTarget('sink', [String(deleteMs)]);
  const take = async (what: string): Promise<unknown> =>
    await (await fetch(new URL(`/${what}`, target.url))).json();
  return {
    ...target,
    takeArrivals: async () => (await take('arrivals')) as Arrival[],
    takeDeletes: async () => (await take('deletes')) as SeenDeletes,
  };
}

/** Now, on the clock of `Arrival`. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
