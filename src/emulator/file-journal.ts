/**
 * What survives a restart, kill -9 included: one JSON line for every file stored or removed, appended by a plain
 * write. There is no fsync: the emulator promises to outlive its process, not a power cut.
 */
import { closeSync, existsSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { z } from 'zod';

import type { StoredFile } from './stored-file.ts';

const storedFileSchema = z.strictObject({
  id: z.string(),
  purpose: z.string(),
  filename: z.string(),
  bytes: z.int(),
  sha256: z.string().nullable(),
  createdAt: z.int(),
  createdAtMs: z.number(),
  expiresAt: z.int().nullable(),
  sequence: z.int(),
});

const lineSchema = z.union([
  z.strictObject({ added: storedFileSchema }),
  z.strictObject({ removed: z.string() }),
]);

export class FileJournal {
  readonly #descriptor: number;

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /**
   * Opens the journal at `path`, compacted, and returns it with the files that it holds. A torn last line is
   * dropped; throws `Error` when any other line is damaged.
   */
  static open(path: string): { readonly journal: FileJournal; readonly files: readonly StoredFile[] } {
    const files = existsSync(path) ? replay(path) : [];
    const compacted = `${path}.tmp`;
    writeFileSync(compacted, files.map((file) => encode({ added: file })).join(''));
    renameSync(compacted, path);
    return { journal: new FileJournal(openSync(path, 'a', 0o600)), files };
  }

  added(file: StoredFile): void {
    writeSync(this.#descriptor, encode({ added: file }));
  }

  removed(id: string): void {
    writeSync(this.#descriptor, encode({ removed: id }));
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function encode(line: z.infer<typeof lineSchema>): string {
  return `${JSON.stringify(line)}\n`;
}

function replay(path: string): readonly StoredFile[] {
  const files = new Map<string, StoredFile>();
  // What follows the last line break is empty, or torn: the process died while it wrote.
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  for (const [index, text] of lines.entries()) {
    const line = parseLine(text);
    if (line === null) throw new Error(`${path}:${index + 1} is damaged; remove the folder to start anew`);
    if ('added' in line) files.set(line.added.id, line.added);
    else files.delete(line.removed);
  }
  return [...files.values()];
}

function parseLine(text: string): z.infer<typeof lineSchema> | null {
  try {
    return lineSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
