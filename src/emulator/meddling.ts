/** The seam through which tests make the server fail. The emulator itself lets every request take its course. */
import type { Reply } from './reply.ts';
import type { OpenRequest } from './logged-request.ts';
import type { StoredBatch } from './stored-batch.ts';
import type { StoredFile } from './stored-file.ts';

/**
 * A moment in the life of a request. `arrival`: its head is here, its body unread. `body`: the body is complete, nothing
 * is done yet. `handled`: the work is done and lasts, the reply is unsent.
 */
export type Stage = 'arrival' | 'body' | 'handled';

/** Thrown to leave the course: with this reply, or (null) with none. */
export class Interruption extends Error {
  readonly reply: Reply | null;

  constructor(reply: Reply | null) {
    super('interrupted by an injected fault');
    this.reply = reply;
  }
}

/** What a listing is made of. */
export interface Listed {
  /** Oldest first. */
  readonly files: readonly StoredFile[];
  readonly maxPageSize: number;
  /** Every page is the first one and promises another. */
  readonly endless: boolean;
}

/** What a listing of batches is made of. */
export interface ListedBatches {
  /** Oldest first. */
  readonly batches: readonly StoredBatch[];
  readonly maxPageSize: number;
  readonly endless: boolean;
  /** As they were at this time, unix milliseconds. */
  readonly atMs: number;
}

/** What befalls one request. Each of these may throw an `Interruption`. */
export interface Meddling {
  pass(stage: Stage): Promise<void>;
  /** The name of the upload's file is known, and its content unread. */
  named(): Promise<void>;
  /** So much of the body has arrived. `announcedBytes`: by its `Content-Length`; 0 without. */
  received(bytes: number, announcedBytes: number): void;
  list(listed: Listed): Listed;
  listBatches(listed: ListedBatches): ListedBatches;
  /** True: the server does not know this file, or batch, yet. */
  hides(stored: { readonly createdAtMs: number }): boolean;
  /** What goes out in place of a reply. */
  reply(reply: Reply): Reply;
}

/** The connection of a request. */
export interface Connection {
  /** Aborts when it has ended. */
  readonly ended: AbortSignal;
  /** Resets it (RST). */
  reset(): void;
}

export type Meddle = (request: OpenRequest, connection: Connection) => Meddling;

const NOTHING: Meddling = {
  pass: async () => {},
  named: async () => {},
  received: () => {},
  list: (listed) => listed,
  listBatches: (listed) => listed,
  hides: () => false,
  reply: (reply) => reply,
};

export const meddleNot: Meddle = () => NOTHING;
