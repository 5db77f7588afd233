import { homedir } from 'node:os';
import type { Writable } from 'node:stream';
import { once } from 'node:events';
import { terminalSafeJson } from '../contract/shown-text.ts';
import { jsonListPieces, textPieces } from '../service/json-list.ts';
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

/** One JSON object, indented. */
export async function printJson(io: Io, value: unknown): Promise<void> {
  await print(io, `${terminalSafeJson(JSON.stringify(value, null, 2))}\n`);
}

/** One JSON array with one item a line, however long it is. */
export async function printJsonList(
  io: Io,
  items: Iterable<unknown> | AsyncIterable<unknown>,
): Promise<void> {
  for await (const piece of jsonListPieces(items)) await print(io, terminalSafeJson(piece));
}

/** Every item as text, which brings its own line breaks, however many they are. */
export async function printLines<T>(
  io: Io,
  items: Iterable<T> | AsyncIterable<T>,
  textOf: (item: T) => string,
): Promise<void> {
  for await (const piece of textPieces(items, textOf)) await print(io, piece);
}

/** Facts: as JSON for scripts, or as text for people, which is only made for them. */
export async function printFacts(
  io: Io,
  json: boolean,
  value: unknown,
  text: string | (() => Promise<string>),
): Promise<void> {
  if (json) await printJson(io, value);
  else await print(io, typeof text === 'string' ? text : await text());
}
