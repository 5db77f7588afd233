/** How servers differ in `/batches`, as data, each with the document that says so; `dialects.ts` says which is whose. */
const DAY_SECONDS = 24 * 60 * 60;

export interface BatchRules {
  /** What `endpoint` may be. */
  readonly endpoints: readonly string[];
  /** What the `url` of a line may be: the batch's endpoint, or any of the `endpoints`, with `/v1` before it or not. */
  readonly lineUrls: 'endpoint' | 'any';
  /** Bounds of `completion_window`. */
  readonly window: { readonly minHours: number; readonly maxHours: number };
  /** True: a batch that is not done by the end of its window expires. */
  readonly expires: boolean;
  readonly maxRequests: number;
  /** True: all lines must name one model. */
  readonly oneModel: boolean;
  /** Bounds of `output_expires_after`; null: it is refused. */
  readonly outputExpiry: { readonly minSeconds: number; readonly maxSeconds: number } | null;
  /** When outputs expire without being told to; null: never. */
  readonly outputExpiresAfterSeconds: number | null;
  /** Fields of the request that it does not know. */
  readonly unknownFields: 'refused' | 'ignored';
  /** A header under which a repeated request gives the batch of the first one. */
  readonly idempotencyHeader: string | null;
  /** What it calls a line whose `url` or `model` is another one than the batch's. */
  readonly codes: { readonly url: string; readonly model: string };
  /** True: a batch has `model` and, at its end, `usage`. */
  readonly tellsUsage: boolean;
  readonly times: 'unix' | 'iso';
  readonly states: 'lower' | 'capital';
  /** `request_counts` of a batch that is not validated yet. */
  readonly earlyCounts: 'zero' | 'null';
  /** `output_file_id` and `error_file_id` where there is no file. */
  readonly absentIds: 'null' | 'empty' | 'omitted';
  /** What the list calls its entries. */
  readonly listKey: 'data' | 'value';
  /** Whether the list knows `after` and `limit`; else it is one whole page. */
  readonly listPages: boolean;
  readonly listOrder: 'desc' | 'asc';
  readonly id: { readonly prefix: string; readonly characters: number };
}

const CHAT = '/v1/chat/completions';

/** Source: OpenAI's published description of `/batches`. Its names for bad lines are those that users report. */
const openai: BatchRules = {
  endpoints: [
    '/v1/responses',
    CHAT,
    '/v1/embeddings',
    '/v1/completions',
    '/v1/moderations',
    '/v1/images/generations',
    '/v1/images/edits',
    '/v1/videos',
  ],
  lineUrls: 'endpoint',
  window: { minHours: 24, maxHours: 24 },
  expires: true,
  maxRequests: 50_000,
  oneModel: true,
  outputExpiry: { minSeconds: 3600, maxSeconds: 30 * DAY_SECONDS },
  outputExpiresAfterSeconds: 30 * DAY_SECONDS,
  unknownFields: 'refused',
  idempotencyHeader: null,
  codes: { url: 'invalid_url', model: 'mismatched_model' },
  tellsUsage: true,
  times: 'unix',
  states: 'lower',
  earlyCounts: 'zero',
  absentIds: 'null',
  listKey: 'data',
  listPages: true,
  listOrder: 'desc',
  id: { prefix: 'batch_', characters: 32 },
};

/** What is not OpenAI's has one endpoint, and keeps results until they are deleted. */
const other: BatchRules = {
  ...openai,
  endpoints: [CHAT],
  outputExpiry: null,
  outputExpiresAfterSeconds: null,
  unknownFields: 'ignored',
  tellsUsage: false,
};

/**
 * Source: "Azure OpenAI REST API reference", Batch, of 2024-10-21; that jobs do not expire, that each line says which
 * endpoint it is for, and from 14 to 30 days of output: "Getting started with Azure OpenAI batch deployments".
 */
const azure: BatchRules = {
  ...openai,
  endpoints: ['/chat/completions', '/embeddings', '/responses'],
  lineUrls: 'any',
  expires: false,
  maxRequests: 100_000,
  outputExpiry: { minSeconds: 14 * DAY_SECONDS, maxSeconds: 30 * DAY_SECONDS },
  outputExpiresAfterSeconds: null,
  codes: { url: 'url_mismatch', model: 'model_mismatch' },
  tellsUsage: false,
};

export const batchRules = {
  openai,
  azure,
  /** Source: "Foundry REST reference", Batches - Create; the guide names its endpoints without `/v1`. */
  'azure-v1': { ...azure, endpoints: [...azure.endpoints, CHAT, '/v1/embeddings', '/v1/responses'] },
  /** Source: "Groq Batch API", and groq-sdk, whose `batches.list` takes nothing. */
  groq: {
    ...other,
    window: { minHours: 24, maxHours: 7 * 24 },
    listPages: false,
    id: { prefix: 'batch_01', characters: 24 },
  },
  /** Source: Moonshot AI's "Batch: create" and "list". */
  moonshot: { ...other, window: { minHours: 12, maxHours: 7 * 24 } },
  /** Source: Zhipu BigModel's "Batch API". */
  zhipu: { ...other, endpoints: ['/v4/chat/completions'] },
  /** Source: Alibaba Cloud Model Studio's "OpenAI compatible - Batch". */
  dashscope: {
    ...other,
    endpoints: [CHAT, '/v1/embeddings'],
    window: { minHours: 24, maxHours: 14 * 24 },
  },
  /** Source: LiteLLM's "Managed Batches": its ids hold its routing, in base64. */
  litellm: { ...openai, unknownFields: 'ignored', id: { prefix: 'bGl0ZWxsbV9wcm94eTo', characters: 319 } },
  cerebras: other,
  /** Source: Perplexity's "Create a batch". */
  perplexity: {
    ...other,
    endpoints: [CHAT, '/v1/responses', '/v1/embeddings'],
    outputExpiresAfterSeconds: 30 * DAY_SECONDS,
    idempotencyHeader: 'idempotency-key',
  },
} as const satisfies Readonly<Record<string, BatchRules>>;
