/**
 * What survives a restart, kill -9 included: one JSON line for every record stored, changed or removed, appended by a
 * plain write. There is no fsync: the emulator promises to outlive its process, not a power cut.
 */
import { closeSync, existsSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { z } from 'zod';

type Line<T> = { readonly added: T } | { readonly removed: string };

export class RecordJournal<T extends { readonly id: string }> {
  readonly #descriptor: number;

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /**
   * Opens the journal at `path`, compacted, and returns it with the records that it holds, in the order in which they
   * were first added. A torn last line is dropped; throws `Error` when any other line is damaged.
   */
  static open<T extends { readonly id: string }>(
    path: string,
    schema: z.ZodType<T>,
  ): { readonly journal: RecordJournal<T>; readonly records: readonly T[] } {
    const records = existsSync(path) ? replay(path, schema) : [];
    const compacted = `${path}.tmp`;
    writeFileSync(compacted, records.map((record) => encode({ added: record })).join(''), { mode: 0o600 });
    renameSync(compacted, path);
    return { journal: new RecordJournal<T>(openSync(path, 'a', 0o600)), records };
  }

  /** A record with an id that is there already takes its place. */
  added(record: T): void {
    writeSync(this.#descriptor, encode({ added: record }));
  }

  removed(id: string): void {
    writeSync(this.#descriptor, encode({ removed: id }));
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function encode(line: Line<unknown>): string {
  return `${JSON.stringify(line)}\n`;
}

function replay<T extends { readonly id: string }>(path: string, schema: z.ZodType<T>): readonly T[] {
  const lineSchema = z.union([
    z.strictObject({ added: schema }),
    z.strictObject({ removed: z.string() }),
  ]) as unknown as z.ZodType<Line<T>>;
  const records = new Map<string, T>();
  // What follows the last line break is empty, or torn: the process died while it wrote.
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  for (const [index, text] of lines.entries()) {
    const line = parseLine(text, lineSchema);
    if (line === null) throw new Error(`${path}:${index + 1} is damaged; remove the folder to start anew`);
    if ('added' in line) records.set(line.added.id, line.added);
    else records.delete(line.removed);
  }
  return [...records.values()];
}

function parseLine<T>(text: string, schema: z.ZodType<T>): T | null {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
