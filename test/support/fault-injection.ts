/**
 * How tests make the emulator fail: rules that say which requests, and what befalls them. `fault-presets.ts` has the
 * failures of real servers ready-made.
 */
import type { Stage } from '../../src/emulator/meddling.ts';
import type { LoggedRequest } from '../../src/emulator/logged-request.ts';
import type { StoredBatch } from '../../src/emulator/stored-batch.ts';
import type { StoredFile } from '../../src/emulator/stored-file.ts';

/** With a rule that matches by file name, `arrival` is when that name is here, the content unread. */
export type FaultStage = Stage;

export type FaultAct =
  /** Answers this instead. A `body` that is no string is sent as JSON. Default stage: `arrival`. */
  | {
      readonly kind: 'respond';
      readonly at?: FaultStage;
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | object;
    }
  /** Resets the connection (RST): at a stage, or once so much of the body has arrived (a fraction needs a `Content-Length`). */
  | {
      readonly kind: 'reset';
      readonly at: FaultStage | { readonly afterBytes: number } | { readonly afterFraction: number };
    }
  /** Says nothing more, until the client gives up. */
  | { readonly kind: 'hang'; readonly at: FaultStage }
  /** Waits, then goes on. Default stage: `arrival`. */
  | { readonly kind: 'delay'; readonly at?: FaultStage; readonly ms: number }
  /** Lets the JSON of a successful reply be changed: wrong `bytes`, another `id`, no `expires_at`. */
  | { readonly kind: 'rewrite'; readonly patch: (reply: Record<string, unknown>) => unknown }
  /** Cuts the reply's body to its first bytes; its `Content-Length` says so too, it just is no JSON any more. */
  | { readonly kind: 'truncate'; readonly keepBytes: number }
  /** Resets the connection once so many bytes of the reply's body are sent, which its `Content-Length` says is longer. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** Sends the reply's body so many bytes at a time. */
  | { readonly kind: 'drip'; readonly chunkBytes: number; readonly everyMs: number }
  /** Listings (and with `retrieve`, the `GET` of one too) know a new file or batch only so long after it was stored. */
  | { readonly kind: 'list-lag'; readonly ms: number; readonly retrieve: boolean }
  /** Pages of a listing have at most so many files, or batches. */
  | { readonly kind: 'list-short'; readonly files: number }
  /** Listings show the files, or batches, as they were when the fault was added. */
  | { readonly kind: 'list-stale' }
  /** Every page of a listing is its first one and promises another. */
  | { readonly kind: 'list-endless' };

type FaultMatch =
  | ((request: LoggedRequest) => boolean)
  | {
      readonly method?: string;
      /** Tested against the path without its query. */
      readonly path?: RegExp;
      /** Only uploads of this name. Known when the file part begins, so the fault strikes then at the earliest. */
      readonly filename?: string | RegExp;
      /** Only uploads with this purpose, as far as it came before the file. */
      readonly purpose?: string;
    };

export interface FaultRule {
  /** Default: every request. */
  readonly match?: FaultMatch;
  readonly act: FaultAct;
  /** How many requests it strikes before it is spent. Default: all. */
  readonly times?: number;
}

export interface Fault {
  /** How many requests it has struck. */
  readonly hits: number;
  remove(): void;
}

/** An act with what it has to remember. */
export type ArmedAct =
  | Exclude<FaultAct, { kind: 'list-stale' }>
  | ({ readonly kind: 'list-stale' } & StoredNow);

/** What is stored at one moment, in copies. */
export interface StoredNow {
  readonly files: readonly StoredFile[];
  readonly batches: readonly StoredBatch[];
  /** Unix milliseconds. */
  readonly atMs: number;
}

interface ArmedFault {
  readonly match: FaultMatch;
  readonly act: ArmedAct;
  readonly times: number;
  hits: number;
}

export class FaultInjector {
  readonly #storedNow: () => StoredNow;
  readonly #faults = new Set<ArmedFault>();

  constructor(storedNow: () => StoredNow) {
    this.#storedNow = storedNow;
  }

  /** Rules strike together, in the order in which they were added. */
  add({ match = {}, act, times = Infinity }: FaultRule): Fault {
    const armedAct: ArmedAct = act.kind === 'list-stale' ? { kind: 'list-stale', ...this.#storedNow() } : act;
    const fault: ArmedFault = { match, act: armedAct, times, hits: 0 };
    this.#faults.add(fault);
    return {
      get hits() {
        return fault.hits;
      },
      remove: () => void this.#faults.delete(fault),
    };
  }

  clear(): void {
    this.#faults.clear();
  }

  /**
   * The acts that strike this request, each counted as a hit. To be asked once when a request arrives and, for
   * rules that go by its file, once when that is `named`.
   */
  strike(request: LoggedRequest, when: 'arrived' | 'named'): readonly ArmedAct[] {
    if (this.#faults.size === 0) return [];
    const struck: ArmedAct[] = [];
    for (const fault of this.#faults) {
      if (fault.hits >= fault.times || !matches(fault.match, request, when)) continue;
      fault.hits += 1;
      struck.push(fault.act);
    }
    return struck;
  }
}

function matches(match: FaultMatch, request: LoggedRequest, when: 'arrived' | 'named'): boolean {
  if (typeof match === 'function') return when === 'arrived' && match(request);
  const { method, path, filename, purpose } = match;
  const byFile = filename !== undefined || purpose !== undefined;
  return (
    byFile === (when === 'named') &&
    (method === undefined || method === request.method) &&
    (path === undefined || path.test(request.path)) &&
    (purpose === undefined || purpose === request.purpose) &&
    (filename === undefined || matchesName(filename, request.filename))
  );
}

function matchesName(expected: string | RegExp, filename: string | null): boolean {
  if (filename === null) return false;
  return typeof expected === 'string' ? expected === filename : expected.test(filename);
}
