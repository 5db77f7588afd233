import type { Clock, Lane, SendQueue } from '../../src/contract/ports.ts';
import { LaneQueue } from '../../src/queue/send-queue.ts';

/** What the suite needs of a world: a clock, and a way to let its time pass. */
export interface Bench {
  readonly clock: Clock;
  /** Everything that is due meanwhile happens. */
  pass(ms: number): Promise<void>;
}

export interface Limits {
  readonly uploadsPerMinute?: number | null;
  readonly uploads?: number;
  readonly deletes?: number;
  readonly questions?: number;
  readonly recentAttemptsMs?: readonly number[];
  readonly random?: () => number;
}

interface Sent {
  readonly lane?: Lane;
  readonly sizeBytes?: number;
  readonly priority?: number;
  readonly signal?: AbortSignal;
  /** Whether the attempt says that it sends. Default: it does. */
  readonly sends?: boolean;
}

const never = new AbortController().signal;

/** A queue, and attempts in it that end when they are told to. */
export class Traffic {
  readonly queue: SendQueue;
  readonly pass: (ms: number) => Promise<void>;
  /** Names of the attempts that were started, in that order. */
  readonly started: string[] = [];
  readonly #running = new Map<string, PromiseWithResolvers<string>>();

  constructor(bench: Bench, limits: Limits = {}) {
    this.queue = new LaneQueue({
      clock: bench.clock,
      random: limits.random ?? (() => 0.5),
      uploadsPerMinute: limits.uploadsPerMinute ?? null,
      concurrentUploads: limits.uploads ?? 2,
      concurrentDeletes: limits.deletes ?? 2,
      concurrentQuestions: limits.questions ?? 2,
      recentAttemptsMs: limits.recentAttemptsMs ?? [],
    });
    this.pass = (ms) => bench.pass(ms);
  }

  async send(name: string, sent: Sent = {}): Promise<string> {
    const { lane = 'upload', sizeBytes = 10, priority = 0, signal = never, sends = true } = sent;
    const attempt = async (sending: () => void): Promise<string> => {
      this.started.push(name);
      if (sends) sending();
      const running = Promise.withResolvers<string>();
      this.#running.set(name, running);
      return await running.promise;
    };
    if (lane !== 'upload') return await this.queue[lane](() => attempt(() => {}), signal);
    return await this.queue.upload({ path: `batch/${name}`, sizeBytes, priority }, attempt, signal);
  }

  /** Sends what nobody waits for. */
  async sendAll(names: readonly string[], sent: Sent = {}): Promise<void> {
    for (const name of names) void this.send(name, sent);
    await this.pass(0);
  }

  async end(...names: readonly string[]): Promise<void> {
    for (const name of names) this.#running.get(name)?.resolve(`${name} is done`);
    await this.pass(0);
  }

  async fail(name: string, error: Error): Promise<void> {
    this.#running.get(name)?.reject(error);
    await this.pass(0);
  }
}
