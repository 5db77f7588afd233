import type { FolderRules } from '../../../src/contract/types.ts';
import { allTrusted } from './sim-profile.ts';
import type { SimSettings } from './sim-profile.ts';

/** Guards that never trip, no verification: nothing happens but what a test does. */
export function calmSettings(folders: readonly FolderRules[]): SimSettings {
  return {
    folders,
    uploadsPerMinute: 900,
    concurrentUploads: 8,
    concurrentDeletes: 4,
    graceMs: 10_000,
    maxDeleteFraction: 1,
    minDeleteCount: 1_000,
    rescanMs: 600_000,
    verifyMs: 0,
    lookMs: 10_000,
    trustReply: allTrusted,
  };
}
