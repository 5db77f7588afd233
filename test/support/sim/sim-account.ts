import type { ApiMemory } from '../../../src/contract/ports.ts';

/** Each project has files of its own, and knows none of another's ids. */
export type Project = 'home' | 'other';

/** A key, and the project that it is of. */
export interface Account {
  readonly key: string;
  readonly project: Project;
}

export const firstAccount: Account = { key: 'key 0', project: 'home' };

/** What `api.json` holds: it outlives the program. */
export class SimApiRecord {
  /** The key under which the recorded ids were last known; null: none yet. */
  idsKey: string | null = null;
  askedKey: string | null = null;

  /** As a program that uses this key remembers it. `onConfirm`: the ids are taken for this key's. */
  memoryFor(key: () => string, onConfirm: () => void = () => {}): ApiMemory {
    return {
      changes: () => (this.idsKey === key() ? [] : ['the key']),
      confirm: async () => {
        onConfirm();
        this.idsKey = key();
      },
      isAskedOtherwise: () => this.askedKey !== key(),
      noteAsked: async () => {
        this.askedKey = key();
      },
    };
  }
}
