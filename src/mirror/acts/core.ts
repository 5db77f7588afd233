import type { HaltBoard } from '../memory/halts.ts';
import type { IdentityIndex } from '../memory/identity-index.ts';
import type { Ledger } from '../memory/ledger.ts';
import type { PathNotes } from '../memory/path-notes.ts';
import type { Clock, FilesApi, Listener, LocalTree, SendQueue } from '../../contract/ports.ts';
import type { MirrorSettings } from '../../contract/settings.ts';
import type { SendingRoom } from '../waiting/sending-room.ts';
import type { FolderRules, ManifestView, MirrorPath } from '../../contract/types.ts';
import { folderOf } from '../../contract/mirror-path.ts';
import { again, type Next, type Worklist } from '../waiting/worklist.ts';

/** What the parts of the engine share. */
export interface Core {
  readonly clock: Clock;
  /** Replaced, like `settings`, when the configuration is read again. */
  local: LocalTree;
  readonly api: FilesApi;
  readonly queue: SendQueue;
  readonly view: ManifestView;
  readonly ledger: Ledger;
  readonly index: IdentityIndex;
  readonly notes: PathNotes;
  readonly halts: HaltBoard;
  readonly listener: Listener;
  readonly worklist: Worklist;
  readonly sendingRoom: SendingRoom;
  /** Something failed that is no `Fault`: the engine cannot go on. */
  readonly broke: (error: unknown) => void;
  settings: MirrorSettings;
}

/** Not at once, since some file systems say that a file moved again and again. */
const MOVED_RETRY_MS = 100;

/** The file is another one than was announced: what is there now is looked at afresh. */
export function movedUnderReader(core: Core, path: MirrorPath): Next {
  core.notes.set(path, 'settling', 'it changed while it was being read');
  return again(MOVED_RETRY_MS);
}

export function rulesOf(core: Core, path: MirrorPath): FolderRules | null {
  return core.settings.folders.get(folderOf(path)) ?? null;
}

/** Unix seconds by the local clock. */
export function nowSeconds(core: Core): number {
  return Math.floor(core.clock.wallMs() / 1000);
}

/** Unix seconds by the server's clock, or by the local one as long as the server's is not known. */
export function serverNowSeconds(core: Core): number {
  return Math.floor((core.api.serverNowMs() ?? core.clock.wallMs()) / 1000);
}
