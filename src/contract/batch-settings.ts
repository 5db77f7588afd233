/** What batches are told, already resolved from the configuration. */
export interface BatchSettings {
  /** Folders whose new files are submitted by themselves (`folders.NAME.submit`). */
  readonly submitFolders: ReadonlySet<string>;
  readonly completionWindow: string;
  /** Below the root. */
  readonly resultsFolder: string;
  /** Open at once; more wait. */
  readonly maxOpen: number;
  /** Creates in any hour, over restarts. */
  readonly perHour: number;
  /** New submissions within an hour, above which they are a flood. */
  readonly maxAtOnce: number;
  /** Null: no limit. A day is one of local time. */
  readonly maxPerDay: {
    readonly jobs: number | null;
    readonly requests: number | null;
    readonly inputTokens: number | null;
  };
  /** A fixed pace of polling; null: as `poll-times.ts` says. */
  readonly pollSeconds: number | null;
  /** For how long an unknown outcome is looked up, and "cannot find file" is asked again. */
  readonly lookSeconds: number;
  /** How often lines that failed in passing are tried again by themselves: 0, 1 or 2. */
  readonly retries: number;
  readonly onRemove: 'finish' | 'cancel';
  readonly onChange: 'finish' | 'cancel';
  /** Remote files that are deleted after the results are durable here. */
  readonly cleanUp: 'none' | 'results' | 'all';
  /** Of output and error files, after their creation; null leaves it to the API. */
  readonly outputExpiresAfterSeconds: number | null;
  /** Added to ours, which win; at most 16 keys in all. */
  readonly metadata: Readonly<Record<string, string>>;
  /** From an endpoint of the lines to what a server wants to be told; what is not in it goes as it is. */
  readonly endpointMap: Readonly<Record<string, string>>;
  /** A header in which the server takes the submission's UUID, so that a repeated POST makes no twin; null: none. */
  readonly idempotencyHeader: string | null;
  /** Money for a million input tokens, by model, as the user reckons. */
  readonly prices: Readonly<Record<string, number>>;
}

export const DEFAULT_BATCH_SETTINGS: BatchSettings = {
  submitFolders: new Set(),
  completionWindow: '24h',
  resultsFolder: 'results',
  maxOpen: 50,
  perHour: 1_900,
  maxAtOnce: 20,
  maxPerDay: { jobs: null, requests: null, inputTokens: null },
  pollSeconds: null,
  lookSeconds: 600,
  retries: 1,
  onRemove: 'finish',
  onChange: 'finish',
  cleanUp: 'none',
  outputExpiresAfterSeconds: null,
  metadata: {},
  endpointMap: {},
  idempotencyHeader: null,
  prices: {},
};
