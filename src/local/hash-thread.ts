import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';

/** SHA-256 of one content, fed in order. */
export interface ContentHash {
  /** Memory that `update` can be fed from, until `drop`. */
  borrow(sizeBytes: number): Buffer;
  /** Resolves once the bytes are not needed any more; until then they must stay as they are. Never rejects. */
  update(bytes: Buffer): Promise<void>;
  /** Lower-case hex. Throws when the hash could not be made. */
  digest(): Promise<string>;
  /** Gives back what was borrowed, and the content up if it has no digest yet. Must be called, once. */
  drop(): void;
}

export type HashRequest =
  | { readonly content: number; readonly kind: 'update'; readonly bytes: Uint8Array }
  | { readonly content: number; readonly kind: 'digest' | 'drop' };

/** To every `update` (null) and `digest`, in the order of a content's requests. */
export interface HashReply {
  readonly content: number;
  readonly sha256: string | null;
}

/** Starting the thread takes some 40 ms, in which 60 MB are hashed. */
const WORTH_A_THREAD_BYTES = 16 * 1024 * 1024;
/** The thread holds some 10 MB, which it gives back when there is nothing to do. */
const IDLE_MS = 5000;

/**
 * Hashes large contents on a thread of its own, while the event loop sends them: SHA-256 takes longer than
 * that (measured: 512 MB in 0.33 s; to read and send them takes 0.23 s).
 * Small contents, and all of them when no thread can be had, are hashed where they are.
 */
export class HashThread {
  readonly #contents = new Map<number, ThreadHash>();
  /**
   * Shared memory that nobody has borrowed. Kept, because the collectors of both threads do not count it: left to
   * them, each content's buffers stayed for hundreds of contents.
   */
  readonly #free: Buffer[] = [];
  #worker: Worker | null = null;
  #lastContent = 0;
  #isUsable = true;
  #idle: NodeJS.Timeout | undefined;
  readonly #start: () => Worker;

  constructor(start = startWorker) {
    this.#start = start;
  }

  hash(sizeBytes: number): ContentHash {
    if (sizeBytes < WORTH_A_THREAD_BYTES) return new InlineHash();
    const worker = this.#started();
    if (worker === null) return new InlineHash();
    const content = ++this.#lastContent;
    const hash = new ThreadHash(content, worker, this.#free, () => this.#end(content));
    this.#contents.set(content, hash);
    return hash;
  }

  #started(): Worker | null {
    clearTimeout(this.#idle);
    if (this.#worker === null && this.#isUsable) {
      try {
        this.#worker = this.#listenTo(this.#start());
      } catch {
        // No thread to be had (a limit of the system): slower, and not worse.
        this.#isUsable = false;
      }
    }
    // The program must not end before it has its hash.
    this.#worker?.ref();
    return this.#worker;
  }

  #listenTo(worker: Worker): Worker {
    worker.on('message', ({ content, sha256 }: HashReply) => this.#contents.get(content)?.take(sha256));
    worker.on('error', (error: unknown) => {
      this.#isUsable = false;
      this.#worker = null;
      for (const hash of this.#contents.values()) hash.fail(error);
    });
    return worker;
  }

  #end(content: number): void {
    this.#contents.delete(content);
    if (this.#contents.size > 0) return;
    this.#worker?.unref();
    clearTimeout(this.#idle);
    // The system's own timer: nothing that can be seen depends on it, and it must not keep the program alive.
    this.#idle = setTimeout(() => this.#stop(), IDLE_MS).unref();
  }

  #stop(): void {
    const worker = this.#worker;
    this.#worker = null;
    this.#free.length = 0;
    void worker?.terminate();
  }
}

function startWorker(): Worker {
  // Compiled or run from source: the neighbour has the same extension.
  const file = new URL(`./hash-worker${extname(import.meta.url)}`, import.meta.url);
  return new Worker(file, { resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 32 } });
}

class ThreadHash implements ContentHash {
  readonly #content: number;
  readonly #worker: Worker;
  readonly #free: Buffer[];
  readonly #onEnd: () => void;
  readonly #borrowed: Buffer[] = [];
  /** One for each request that was not answered yet. */
  readonly #waiting: ((sha256: string | null) => void)[] = [];
  #failure: { readonly error: unknown } | null = null;
  #isSettled = false;

  constructor(content: number, worker: Worker, free: Buffer[], onEnd: () => void) {
    this.#content = content;
    this.#worker = worker;
    this.#free = free;
    this.#onEnd = onEnd;
  }

  borrow(sizeBytes: number): Buffer {
    const fitting = this.#free.findIndex(({ length }) => length === sizeBytes);
    const [buffer = Buffer.from(new SharedArrayBuffer(sizeBytes))] =
      fitting === -1 ? [] : this.#free.splice(fitting, 1);
    this.#borrowed.push(buffer);
    return buffer;
  }

  async update(bytes: Buffer): Promise<void> {
    await this.#ask({ content: this.#content, kind: 'update', bytes });
  }

  async digest(): Promise<string> {
    const sha256 = await this.#ask({ content: this.#content, kind: 'digest' });
    this.#settle();
    if (this.#failure !== null) throw this.#failure.error;
    if (sha256 === null) throw new TypeError('a dropped content has no hash');
    return sha256;
  }

  drop(): void {
    if (!this.#isSettled)
      this.#worker.postMessage({ content: this.#content, kind: 'drop' } satisfies HashRequest);
    this.#settle();
    // The thread may still be reading them: for a content that nobody wants any more.
    this.#free.push(...this.#borrowed.splice(0));
    this.#onEnd();
  }

  take(sha256: string | null): void {
    this.#waiting.shift()?.(sha256);
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.#settle();
  }

  async #ask(request: HashRequest): Promise<string | null> {
    if (this.#isSettled) return null;
    this.#worker.postMessage(request);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Nothing is asked of the thread any more. */
  #settle(): void {
    this.#isSettled = true;
    for (const resolve of this.#waiting.splice(0)) resolve(null);
  }
}

class InlineHash implements ContentHash {
  readonly #hash = createHash('sha256');

  borrow(sizeBytes: number): Buffer {
    return Buffer.allocUnsafeSlow(sizeBytes);
  }

  async update(bytes: Buffer): Promise<void> {
    this.#hash.update(bytes);
  }

  async digest(): Promise<string> {
    return this.#hash.digest('hex');
  }

  drop(): void {
    // Nothing is borrowed.
  }
}
