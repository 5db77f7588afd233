import type { MirrorPath } from '../../contract/types.ts';
import type { PathNotes } from '../memory/path-notes.ts';
import { again, type Next } from '../waiting/worklist.ts';

/** Not at once, since some file systems say that a file moved again and again. */
const MOVED_RETRY_MS = 100;

/** The file is another one than was announced: what is there now is looked at afresh. */
export function movedUnderReader({ notes }: { readonly notes: PathNotes }, path: MirrorPath): Next {
  notes.set(path, 'settling', 'it changed while it was being read');
  return again(MOVED_RETRY_MS);
}
