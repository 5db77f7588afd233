import type { FileId, ManifestView, MirrorPath } from '../../contract/types.ts';
import type { IdentityIndex } from './identity-index.ts';

/** Ids whose remote file was found to be gone, for as long as an entry has them: under whatever path. */
export class LostFiles {
  readonly #view: ManifestView;
  readonly #index: Pick<IdentityIndex, 'ownerOf'>;
  readonly #ids = new Set<FileId>();

  constructor(view: ManifestView, index: Pick<IdentityIndex, 'ownerOf'>) {
    this.#view = view;
    this.#index = index;
  }

  /** The remote file of this id, which an entry has, is gone: it is to be uploaded again. */
  note(id: FileId): void {
    this.#ids.add(id);
  }

  /** Whether the path's remote file is one of them. */
  isLost(path: MirrorPath): boolean {
    const entry = this.#view.files.get(path);
    return entry !== undefined && this.#ids.has(entry.id);
  }

  /** Whether any of them still waits to be uploaded again. */
  any(): boolean {
    for (const id of this.#ids) if (this.#index.ownerOf(id) === null) this.#ids.delete(id);
    return this.#ids.size > 0;
  }
}
