/**
 * How compatible servers differ, as data. The emulator branches on these fields and on no name of a server.
 */
const MEBIBYTE = 1024 * 1024;
const THIRTY_DAYS_SECONDS = 30 * 24 * 60 * 60;

export type DialectName = 'openai' | 'azure' | 'groq' | 'xai' | 'moonshot' | 'no-expiry';

export interface Dialect {
  /** Where `/files` hangs. */
  readonly basePath: string;
  /** True: `api-key: KEY` is as good as `Authorization: Bearer KEY`. */
  readonly apiKeyHeader: boolean;
  /** A query parameter that every request must carry. */
  readonly requiredQuery: string | null;
  /** Purposes that may be uploaded. */
  readonly purposes: readonly string[];
  /** Purposes whose file name must end in `.jsonl`, and what their API is called in the refusal. */
  readonly jsonlPurposes: Readonly<Record<string, string>>;
  readonly maxFileBytes: number;
  /** Tighter limits of single purposes. */
  readonly maxBytesByPurpose: Readonly<Record<string, number>>;
  /** What becomes of `expires_after`. `before-file`: accepted, but only ahead of the file part. */
  readonly expiry: 'accepted' | 'before-file' | 'refused';
  /** When batch files expire without being told to; null: never. */
  readonly batchExpiresAfterSeconds: number | null;
  readonly uploadReplyStatus: 200 | 201;
  /** The `status` field in the reply to an upload; later replies say `processed`. */
  readonly uploadedStatus: 'processed' | 'pending';
  readonly listParameters: 'used' | 'ignored' | 'refused';
  /** `bare`: no `first_id`, `last_id` and `has_more`. */
  readonly listEnvelope: 'cursor' | 'bare';
}

/** The published description and the limits on OpenAI's pages. Sizes are read as binary megabytes. */
const openai: Dialect = {
  basePath: '/v1',
  apiKeyHeader: false,
  requiredQuery: null,
  purposes: ['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'],
  jsonlPurposes: { batch: 'Batch', 'fine-tune': 'Fine-Tuning' },
  maxFileBytes: 512 * MEBIBYTE,
  maxBytesByPurpose: { batch: 200 * MEBIBYTE },
  expiry: 'accepted',
  batchExpiresAfterSeconds: THIRTY_DAYS_SECONDS,
  uploadReplyStatus: 200,
  uploadedStatus: 'processed',
  listParameters: 'used',
  listEnvelope: 'cursor',
};

export const dialects: Readonly<Record<DialectName, Dialect>> = {
  openai,
  azure: {
    ...openai,
    basePath: '/openai',
    apiKeyHeader: true,
    requiredQuery: 'api-version',
    uploadReplyStatus: 201,
    uploadedStatus: 'pending',
  },
  groq: {
    ...openai,
    purposes: ['batch'],
    maxFileBytes: 100 * MEBIBYTE,
    maxBytesByPurpose: {},
    expiry: 'refused',
    listParameters: 'refused',
    listEnvelope: 'bare',
  },
  xai: { ...openai, expiry: 'before-file', listEnvelope: 'bare' },
  moonshot: {
    ...openai,
    purposes: ['file-extract', 'image', 'video', 'batch'],
    maxFileBytes: 100 * MEBIBYTE,
    maxBytesByPurpose: {},
    expiry: 'refused',
    batchExpiresAfterSeconds: null,
    listParameters: 'ignored',
    listEnvelope: 'bare',
  },
  'no-expiry': { ...openai, expiry: 'refused', batchExpiresAfterSeconds: null },
};
