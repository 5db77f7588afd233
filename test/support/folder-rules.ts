import type { FolderRules } from '../../src/contract/types.ts';

/** Rules of a folder of this purpose, with OpenAI's limits. */
export function rulesOf(purpose: string, changes: Partial<FolderRules> = {}): FolderRules {
  return {
    folder: purpose,
    purpose,
    expiresAfterSeconds: null,
    onExpiry: 'forget',
    renewBeforeSeconds: 86_400,
    check: 'full',
    priority: 0,
    deletes: 'mirror',
    maxBytes: purpose === 'batch' ? 200_000_000 : 512_000_000,
    ...changes,
  };
}
