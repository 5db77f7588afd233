import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { CheckVerdict, ContentCheck } from '../contract/content-check.ts';
import { type Fault, retryFault } from '../contract/faults.ts';
import type { FolderRules } from '../contract/types.ts';
import type { DetailedCheck } from './checks.ts';

interface Opening {
  readonly rules: FolderRules;
  readonly fileName: string;
  readonly sizeBytes: number;
}

export type CheckRequest =
  | ({ readonly file: number; readonly kind: 'open' } & Opening)
  | { readonly file: number; readonly kind: 'write'; readonly bytes: Uint8Array }
  | { readonly file: number; readonly kind: 'end' | 'drop' };

/** To every `write` (null) and `end`, in the order of the requests. */
export type CheckReply = CheckVerdict | null;

/** The thread holds some memory, which it gives back when there is nothing to do. */
const IDLE_MS = 5000;
/** A line of 16 MB, of nothing but empty arrays, takes 300 MB as values. */
const HEAP_MB = 1024;

interface Asked {
  readonly resolve: (reply: CheckReply) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Checks files on a thread of its own, started for the first of them, so that no line, however long, keeps the event
 * loop waiting. Where no thread can be had (a limit of the system) they are checked where they are.
 */
export class CheckThread {
  readonly #start: () => Worker;
  #worker: Worker | null = null;
  /** In the order of the requests, which is that of the replies. */
  #asked: Asked[] = [];
  #lastFile = 0;
  readonly #open = new Set<number>();
  #idle: NodeJS.Timeout | undefined;

  constructor(start = startWorker) {
    this.#start = start;
  }

  /** `here`: the same check on this thread. Rejects with a `Fault` (`io`, to be tried again) when the thread breaks. */
  check(opening: Opening, here: DetailedCheck): ContentCheck {
    const file = ++this.#lastFile;
    let isHere = false;
    let before: Promise<CheckReply> = Promise.resolve(null);
    return {
      problem: null,
      write: async (bytes) => {
        if (!this.#open.has(file) && !isHere) isHere = !this.#begin(file, opening);
        if (isHere) return here.write(bytes);
        // The thread has the next bytes when it is done with the ones before, and need not wait for them.
        const previous = before;
        before = this.#ask({ file, kind: 'write', bytes });
        before.catch(() => {});
        await previous;
      },
      end: async () => {
        await before;
        return (isHere ? null : await this.#ask({ file, kind: 'end' })) ?? here.end();
      },
      drop: () => this.#drop(file),
    };
  }

  #begin(file: number, opening: Opening): boolean {
    try {
      this.#worker ??= this.#listenTo(this.#start());
    } catch {
      return false;
    }
    this.#open.add(file);
    this.#send({ file, kind: 'open', ...opening });
    return true;
  }

  #ask(request: CheckRequest): Promise<CheckReply> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
      this.#send(request);
    });
  }

  #send(request: CheckRequest): void {
    clearTimeout(this.#idle);
    // The program must not end before it has its answer.
    this.#worker?.ref();
    this.#worker?.postMessage(request);
  }

  #listenTo(worker: Worker): Worker {
    worker.on('message', (reply: CheckReply) => this.#asked.shift()?.resolve(reply));
    worker.on('error', (cause: unknown) => {
      this.#worker = null;
      this.#open.clear();
      const asked = this.#asked;
      this.#asked = [];
      for (const { reject } of asked) reject(broken(cause));
    });
    return worker;
  }

  #drop(file: number): void {
    if (!this.#open.delete(file)) return;
    this.#worker?.postMessage({ file, kind: 'drop' } satisfies CheckRequest);
    if (this.#open.size > 0) return;
    this.#worker?.unref();
    // The system's own timer: nothing that can be seen depends on it, and it must not keep the program alive.
    this.#idle = setTimeout(() => this.#stop(), IDLE_MS).unref();
  }

  #stop(): void {
    const worker = this.#worker;
    this.#worker = null;
    void worker?.terminate();
  }
}

function broken(cause: unknown): Fault {
  return retryFault(
    'io',
    `the file could not be checked: ${cause instanceof Error ? cause.message : String(cause)}`,
    cause,
  );
}

function startWorker(): Worker {
  // Compiled or run from source: the neighbour has the same extension.
  const file = new URL(`./check-worker${extname(import.meta.url)}`, import.meta.url);
  return new Worker(file, {
    resourceLimits: { maxYoungGenerationSizeMb: 6, maxOldGenerationSizeMb: HEAP_MB },
  });
}
