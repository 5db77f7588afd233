import type { Clock, Questions, ListDoubt } from '../../contract/ports.ts';
import type { RemoteFile } from '../../contract/types.ts';
import { mayBeSince } from '../judge/whose-file.ts';
import type { SeenFiles } from '../memory/seen-files.ts';

/** What a listing showed and what it left open. */
export interface Listed {
  readonly files: readonly RemoteFile[];
  readonly doubts: readonly ListDoubt[];
}

interface Listing {
  sinceMs: number;
  readonly listed: Promise<Listed>;
}

/** What it works with. */
interface Parts {
  readonly api: Questions;
  readonly clock: Clock;
}

/** Lists what was made lately, newest first. One listing serves all who ask before it begins. */
export class SharedListings {
  readonly #parts: Parts;
  readonly #seen: SeenFiles;
  /** Per purpose, null for all: the listing that has not begun yet and may still be joined. */
  readonly #joinable = new Map<string | null, Listing>();
  readonly #running = new Map<string | null, Promise<unknown>>();

  /** `seen` is told of each file that is shown. */
  constructor(parts: Parts, seen: SeenFiles) {
    this.#parts = parts;
    this.#seen = seen;
  }

  /**
   * All that may have been made since then, unix milliseconds by the server's clock. `purpose` null: of whichever. A
   * listing that has begun is not joined: it may have passed over the file already.
   */
  since(sinceMs: number, purpose: string | null, signal: AbortSignal): Promise<Listed> {
    const joinable = this.#joinable.get(purpose);
    if (joinable !== undefined) {
      joinable.sinceMs = Math.min(joinable.sinceMs, sinceMs);
      return joinable.listed;
    }
    const previous = this.#running.get(purpose) ?? Promise.resolve();
    const listing: Listing = {
      sinceMs,
      listed: previous.then(() => {
        this.#joinable.delete(purpose);
        return this.#list(purpose, listing.sinceMs, signal);
      }),
    };
    this.#joinable.set(purpose, listing);
    const settled = listing.listed.then(
      () => {},
      () => {},
    );
    this.#running.set(purpose, settled);
    return listing.listed;
  }

  async #list(purpose: string | null, sinceMs: number, signal: AbortSignal): Promise<Listed> {
    const files: RemoteFile[] = [];
    const doubts: ListDoubt[] = [];
    const request = { purpose, order: 'desc', onDoubt: (doubt: ListDoubt) => doubts.push(doubt) } as const;
    for await (const page of this.#parts.api.list(request, signal)) {
      const recent = page.filter((file) => mayBeSince(file, sinceMs));
      this.#seen.note(
        recent.map(({ id }) => id),
        this.#parts.clock.monotonicMs(),
      );
      files.push(...recent);
      if (recent.length === 0) break;
    }
    return { files, doubts };
  }
}
