import type { BatchSettings } from '../contract/batch-settings.ts';
import type { FolderRules } from '../contract/types.ts';
import type { ConfigFile } from './schema.ts';

/** The variables of the process, or those that a test gives. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The configuration as the program uses it: merged, checked, every path absolute. */
export interface Config {
  readonly root: string;
  readonly stateDir: string;
  readonly api: Readonly<ConfigFile['api']>;
  readonly limits: Readonly<ConfigFile['limits']>;
  readonly watch: Readonly<ConfigFile['watch']>;
  readonly deletes: Readonly<ConfigFile['deletes']>;
  readonly batches: BatchSettings;
  /** 0: never by itself. */
  readonly verifyHours: number;
  /** The purpose folders that are mirrored, in the order of their names. */
  readonly folders: readonly FolderRules[];
}
