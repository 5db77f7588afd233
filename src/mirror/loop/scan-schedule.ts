import type { RootGuard } from '../acts/root-guard.ts';
import type { Wakeup } from '../waiting/wakeup.ts';
import type { Reloadable } from '../memory/reloadable.ts';
import type { Clock, Listener } from '../../contract/ports.ts';
import { nowSeconds } from '../../contract/times.ts';
import type { Scanner } from '../acts/scanner.ts';
import type { MirrorPath } from '../../contract/types.ts';

/** At least this long between two full scans that hints asked for … */
const MIN_GAP_MS = 2_000;
/** … and this many times as long as the last one took. */
const GAP_FACTOR = 5;
/** More dirty directories than this: one full scan is cheaper and surer. */
const MAX_TREES = 100;

interface Request {
  readonly why: string;
  readonly done: PromiseWithResolvers<void>;
}

/** What it works with. */
interface Parts {
  readonly broke: (error: unknown) => void;
  readonly clock: Clock;
  readonly config: Reloadable;
  readonly listener: Listener;
  readonly scanner: Scanner;
  readonly root: RootGuard;
  readonly wakeup: Wakeup;
}

/** When to scan: on request, after hints, and every `rescanMs`. One scan runs at a time. */
export class ScanSchedule {
  readonly #parts: Parts;
  readonly #trees = new Set<MirrorPath>();
  #request: Request | null = null;
  #urgent = false;
  #isOver = false;
  #running: Promise<void> | null = null;
  #notBeforeMs = 0;
  #dueMs = Number.POSITIVE_INFINITY;
  #lastScanAt: number | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
    parts.root.whenBack(() => this.request('the root is back'));
  }

  /** Unix seconds; null before the first full scan was complete. */
  get lastScanAt(): number | null {
    return this.#lastScanAt;
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** A scan is running or about to: conclusions from absence had better wait for it. */
  isSoon(): boolean {
    return (
      this.#running !== null || this.#request !== null || this.#trees.size > 0 || this.#lastScanAt === null
    );
  }

  /** Wants a full scan soon. */
  request(why: string): void {
    this.#request ??= { why, done: Promise.withResolvers() };
    this.#parts.wakeup.now();
  }

  /** Wants everything below this directory looked at. */
  requestTree(path: MirrorPath): void {
    if (this.#request !== null) return;
    this.#trees.add(path);
    if (this.#trees.size > MAX_TREES) this.request('many directories changed');
    this.#parts.wakeup.now();
  }

  /** A full scan that begins after this call; resolves when it is complete, or none can begin any more. */
  async full(why: string): Promise<void> {
    if (this.#isOver) return;
    this.request(why);
    this.#urgent = true;
    const done = this.#request?.done.promise;
    this.#parts.wakeup.now();
    await done;
  }

  /** Starts what is due. `rootIsGood` false: nothing can be scanned; whoever waits for a scan is not kept waiting. */
  tick(rootIsGood: boolean, signal: AbortSignal): void {
    const now = this.#parts.clock.monotonicMs();
    if (!rootIsGood) {
      if (this.#urgent) this.#finish(this.#takeRequest());
      return;
    }
    if (this.#running !== null || signal.aborted) return;
    if (now >= this.#dueMs && this.#request === null) this.request('periodic');
    if (this.#request !== null && (this.#urgent || now >= this.#notBeforeMs)) {
      this.#trees.clear();
      this.#launch(null, this.#takeRequest(), signal);
    } else if (this.#request === null) {
      const [tree] = this.#trees;
      if (tree === undefined) return;
      this.#trees.delete(tree);
      this.#launch(tree, null, signal);
    }
  }

  /** None begins any more. Resolves when no scan runs any more. */
  async stopped(): Promise<void> {
    this.#isOver = true;
    this.#finish(this.#takeRequest());
    await this.#running;
  }

  #takeRequest(): Request | null {
    const request = this.#request;
    this.#request = null;
    this.#urgent = false;
    return request;
  }

  #finish(request: Request | null): void {
    request?.done.resolve();
  }

  #launch(under: MirrorPath | null, request: Request | null, signal: AbortSignal): void {
    this.#running = this.#scan(under, request, signal).finally(() => {
      this.#running = null;
      this.#finish(request);
      this.#parts.wakeup.now();
    });
  }

  async #scan(under: MirrorPath | null, request: Request | null, signal: AbortSignal): Promise<void> {
    const { clock, listener } = this.#parts;
    const { settings } = this.#parts.config;
    try {
      const summary = await this.#parts.scanner.scan(under, signal);
      if (under !== null) return;
      const now = clock.monotonicMs();
      this.#lastScanAt = nowSeconds(this.#parts);
      this.#notBeforeMs = now + Math.max(MIN_GAP_MS, GAP_FACTOR * summary.tookMs);
      this.#dueMs = settings.rescanMs === 0 ? Number.POSITIVE_INFINITY : now + settings.rescanMs;
      listener({ kind: 'scanned', ...summary, why: request?.why ?? '' });
    } catch (error) {
      if (!signal.aborted) this.#parts.broke(error);
    }
  }
}
