import type { FileId } from './types.ts';

/** What the rest of the program knows of remote files, for who deletes and counts them. */
export interface FileUses {
  /** Who still uses this id, in words; null: nobody. A file in use is not deleted before it is released. */
  userOf(id: FileId): string | null;
  /** Files that this program made, though no path has them. */
  made(): ReadonlySet<FileId>;
}

export const NO_USES: FileUses = { userOf: () => null, made: () => new Set() };
