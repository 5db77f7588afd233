import type { FolderRules, ReplyField } from './types.ts';

/** What the engine is told, already resolved from the configuration. */
export interface MirrorSettings {
  /** The root as the user named it, for messages. */
  readonly root: string;
  /** Where the files go, as the user named it, for status. */
  readonly api: string;
  readonly folders: ReadonlyMap<string, FolderRules>;
  /** How long a file must rest; only to know how long waiting for it makes sense. */
  readonly settleMs: number;
  readonly graceMs: number;
  /** Mass-delete guard: trips when waiting deletes exceed this fraction of all entries … */
  readonly maxFraction: number;
  /** … and this number. */
  readonly minCount: number;
  /** Time between full rescans; 0: none. */
  readonly rescanMs: number;
  /** Time between verifications against the remote; 0: none. */
  readonly verifyMs: number;
  /** Storage limit in bytes for what this mirror owns and others use; null: none. */
  readonly storageBytes: number | null;
  /** False: the server cannot delete. No DELETE is sent, and what nothing points to any more stays recorded. */
  readonly canDelete: boolean;
  /** How long an upload of unknown outcome is looked for before it is sent anew: lists may lag. */
  readonly lookMs: number;
  /** From this size on it is recorded, durably, before the last bytes of a file are sent: a crash before that is known to have stored nothing. */
  readonly markSentFromBytes: number;
  /** The fields of the server's replies that are believed. */
  readonly trustReply: ReadonlySet<ReplyField>;
}
