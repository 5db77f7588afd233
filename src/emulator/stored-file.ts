import { z } from 'zod';

export const storedFileSchema = z.strictObject({
  id: z.string(),
  purpose: z.string(),
  filename: z.string(),
  bytes: z.int(),
  /** Lower-case hex; null when the emulator was told to discard contents. */
  sha256: z.string().nullable(),
  /** Unix seconds. */
  createdAt: z.int(),
  /** The same instant in unix milliseconds, for rules finer than a second. */
  createdAtMs: z.number(),
  /** Unix seconds; null when the file does not expire. */
  expiresAt: z.int().nullable(),
  /** Order of storing; settles the order within one second. */
  sequence: z.int(),
});

/** A file as the emulator keeps it. */
export type StoredFile = Readonly<z.infer<typeof storedFileSchema>>;

/** The file as the API describes it: `expires_at` is absent, not null, when the file does not expire. */
export function fileObject(file: StoredFile, status: 'processed' | 'pending'): Record<string, unknown> {
  return {
    object: 'file',
    id: file.id,
    purpose: file.purpose,
    filename: file.filename,
    bytes: file.bytes,
    created_at: file.createdAt,
    ...(file.expiresAt === null ? {} : { expires_at: file.expiresAt }),
    status,
  };
}

/** The order of listings: oldest first. */
export function compareAge(a: StoredFile, b: StoredFile): number {
  return a.createdAt - b.createdAt || a.sequence - b.sequence;
}

/** Where `file` stands, or would stand, in a list that is sorted by `compareAge`. */
export function agePosition(sorted: readonly StoredFile[], file: StoredFile): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const candidate = sorted[middle];
    if (candidate !== undefined && compareAge(candidate, file) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
