/**
 * How compatible servers differ, as data, each with the document that says so. The emulator branches on these fields
 * and on no name of a server. Where a document is silent, a server is as strict as any is known to be.
 */
import type { BatchRules } from './batch-rules.ts';
import { batchRules } from './batch-rules.ts';

const MEGABYTE = 1_000_000;
const MEBIBYTE = 1024 * 1024;
const DAY_SECONDS = 24 * 60 * 60;

/** What `GET /files` takes and gives. */
export interface ListRules {
  /** The query parameters that it knows. */
  readonly parameters: readonly string[];
  /** What becomes of all others. */
  readonly unknown: 'ignored' | 'refused';
  /** A parameter that must be there. */
  readonly required: string | null;
  /** The order unless `order`, where it is known, says otherwise. */
  readonly order: 'desc' | 'asc';
  readonly defaultLimit: number;
  readonly maxLimit: number;
  /** What becomes of a greater `limit`. */
  readonly overLimit: 'refused' | 'capped';
  /**
   * How a page says that there is more: `cursor` has `first_id`, `last_id` and `has_more`; `has-more` that alone;
   * `token` a `pagination_token` for the next page; `bare` nothing.
   */
  readonly envelope: 'cursor' | 'has-more' | 'token' | 'bare';
}

export interface Dialect {
  /** Where `/files` hangs. */
  readonly basePath: string;
  /** True: `api-key: KEY` is as good as `Authorization: Bearer KEY`. */
  readonly apiKeyHeader: boolean;
  /** A query parameter that every request must carry. */
  readonly requiredQuery: string | null;
  /** Purposes that may be uploaded; null: any. */
  readonly purposes: readonly string[] | null;
  /** Purposes whose file name must end in `.jsonl`, and what their API is called in the refusal. */
  readonly jsonlPurposes: Readonly<Record<string, string>>;
  /** Purposes that take files of these extensions alone. */
  readonly extensions: Readonly<Record<string, readonly string[]>>;
  readonly maxFileBytes: number;
  /** Tighter limits of single purposes. */
  readonly maxBytesByPurpose: Readonly<Record<string, number>>;
  /** Form fields that it takes besides `purpose`, `file` and `expires_after`. */
  readonly moreFields: readonly string[];
  /** What becomes of `expires_after`. `before-file`: accepted, but only ahead of the file part. */
  readonly expiry: 'accepted' | 'before-file' | 'refused';
  readonly expiryBounds: { readonly minSeconds: number; readonly maxSeconds: number };
  /** When batch files expire without being told to; null: never. */
  readonly batchExpiresAfterSeconds: number | null;
  readonly uploadReplyStatus: 200 | 201;
  /** The `status` field in the reply to an upload; later replies say `processed`. */
  readonly uploadedStatus: 'processed' | 'pending';
  readonly list: ListRules;
  /** Null: it has no `/batches`, or one that is nothing like OpenAI's. */
  readonly batches: BatchRules | null;
  /** Purposes whose contents are not given out. */
  readonly guardedPurposes: readonly string[];
  readonly canDelete: boolean;
  /** How an id begins, and how many characters follow. */
  readonly id: { readonly prefix: string; readonly characters: number };
}

/**
 * The extensions in the API's own refusal ("Invalid extension … Supported formats: …", as in issue 270 of
 * openai-dotnet), and those that the guide of file search adds: cs, doc, sh.
 */
const DOCUMENTS =
  'c cpp cs css csv doc docx gif go html java jpeg jpg js json md pdf php pkl png pptx py rb sh tar tex ts txt webp xlsx xml zip';

/**
 * Source: OpenAI's published description, and the limits on the page "Files"; sizes are read as binary megabytes.
 * Which contents are given out is written nowhere; users report "Not allowed to download files of purpose: …".
 */
const openai: Dialect = {
  basePath: '/v1',
  apiKeyHeader: false,
  requiredQuery: null,
  purposes: ['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'],
  jsonlPurposes: { batch: 'Batch', 'fine-tune': 'Fine-Tuning' },
  extensions: { assistants: DOCUMENTS.split(' '), vision: ['png', 'jpg', 'jpeg', 'gif', 'webp'] },
  maxFileBytes: 512 * MEBIBYTE,
  maxBytesByPurpose: { batch: 200 * MEBIBYTE },
  moreFields: [],
  expiry: 'accepted',
  expiryBounds: { minSeconds: 3600, maxSeconds: 30 * DAY_SECONDS },
  batchExpiresAfterSeconds: 30 * DAY_SECONDS,
  uploadReplyStatus: 200,
  uploadedStatus: 'processed',
  list: {
    parameters: ['purpose', 'order', 'limit', 'after'],
    unknown: 'ignored',
    required: null,
    order: 'desc',
    defaultLimit: 10_000,
    maxLimit: 10_000,
    overLimit: 'refused',
    envelope: 'cursor',
  },
  batches: batchRules.openai,
  guardedPurposes: ['assistants', 'vision', 'user_data'],
  canDelete: true,
  id: { prefix: 'file-', characters: 32 },
};

/** One whole list, whatever is asked. */
const wholeList: ListRules = {
  ...openai.list,
  parameters: [],
  defaultLimit: Infinity,
  envelope: 'bare',
};

/** What is not OpenAI's has neither its purposes nor its rules for them. */
const other: Dialect = {
  ...openai,
  jsonlPurposes: { batch: 'Batch' },
  extensions: {},
  maxBytesByPurpose: {},
  batchExpiresAfterSeconds: null,
  guardedPurposes: [],
};

/** Source: "Azure OpenAI v1 API reference"; expiry from 14 to 30 days: "Getting started with … batch deployments". */
const azureV1: Dialect = {
  ...openai,
  basePath: '/openai/v1',
  apiKeyHeader: true,
  purposes: ['assistants', 'batch', 'fine-tune', 'vision', 'evals'],
  expiryBounds: { minSeconds: 14 * DAY_SECONDS, maxSeconds: 30 * DAY_SECONDS },
  batchExpiresAfterSeconds: null,
  batches: batchRules['azure-v1'],
};

const known = {
  openai,

  /** Source: "Azure OpenAI REST API reference", Files - Upload (201, `pending`) and Files - List (`purpose` alone). */
  azure: {
    ...azureV1,
    basePath: '/openai',
    requiredQuery: 'api-version',
    purposes: ['assistants', 'batch', 'fine-tune', 'evals'],
    uploadReplyStatus: 201,
    uploadedStatus: 'pending',
    list: { ...wholeList, parameters: ['purpose'] },
    batches: batchRules.azure,
  },

  'azure-v1': azureV1,

  /** Source: "Groq Batch API", and groq-sdk, whose `files.list` takes nothing and gives `object` and `data`. */
  groq: {
    ...other,
    basePath: '/openai/v1',
    purposes: ['batch'],
    maxFileBytes: 100 * MEGABYTE,
    expiry: 'refused',
    list: { ...wholeList, unknown: 'refused' },
    batches: batchRules.groq,
    id: { prefix: 'file_01', characters: 24 },
  },

  /** Source: xAI's "REST API reference: Files": expiry ahead of the file, any purpose, pages by token. */
  xai: {
    ...other,
    purposes: null,
    jsonlPurposes: {},
    maxFileBytes: 48 * MEBIBYTE,
    expiry: 'before-file',
    list: {
      ...openai.list,
      parameters: ['limit', 'order', 'sort_by', 'pagination_token'],
      defaultLimit: 100,
      maxLimit: 100,
      overLimit: 'capped',
      envelope: 'token',
    },
    batches: null,
    id: { prefix: 'file_', characters: 32 },
  },

  /** Source: Moonshot AI's "Files: upload" and "Files: list". */
  moonshot: {
    ...other,
    purposes: ['file-extract', 'image', 'video', 'batch'],
    maxFileBytes: 100 * MEGABYTE,
    expiry: 'refused',
    list: wholeList,
    batches: batchRules.moonshot,
    id: { prefix: '', characters: 20 },
  },

  /** Source: Zhipu BigModel's "File API: upload" and "File list": a purpose is required, 1 to 100 a page. */
  zhipu: {
    ...other,
    basePath: '/api/paas/v4',
    purposes: ['batch', 'code-interpreter', 'agent', 'voice-clone-input'],
    maxFileBytes: 100 * MEGABYTE,
    maxBytesByPurpose: { agent: 20 * MEGABYTE, 'code-interpreter': 20 * MEGABYTE },
    expiry: 'refused',
    list: {
      ...openai.list,
      parameters: ['purpose', 'limit', 'after'],
      required: 'purpose',
      defaultLimit: 20,
      maxLimit: 100,
      envelope: 'has-more',
    },
    batches: batchRules.zhipu,
    id: { prefix: 'file-', characters: 24 },
  },

  /** Source: Alibaba Cloud Model Studio's "OpenAI compatible file interface"; ids name the purpose there. */
  dashscope: {
    ...other,
    basePath: '/compatible-mode/v1',
    purposes: ['file-extract', 'batch'],
    maxFileBytes: 500 * MEGABYTE,
    maxBytesByPurpose: { 'file-extract': 150 * MEGABYTE },
    expiry: 'refused',
    list: {
      ...openai.list,
      parameters: ['after', 'limit'],
      defaultLimit: 2000,
      maxLimit: 2000,
      envelope: 'has-more',
    },
    batches: batchRules.dashscope,
    id: { prefix: 'file-fe-', characters: 24 },
  },

  /** Source: LiteLLM's "Provider Files Endpoints" and "Managed Files": its ids hold its routing, in base64. */
  litellm: {
    ...openai,
    moreFields: ['custom_llm_provider', 'target_model_names', 'model'],
    list: wholeList,
    batches: batchRules.litellm,
    id: { prefix: 'bGl0ZWxsbV9wcm94eTo', characters: 319 },
  },

  /** Source: Cerebras' "Upload file" and "List files": kept for 7 days, oldest first, 1 to 100 a page. */
  cerebras: {
    ...other,
    purposes: ['batch'],
    maxFileBytes: 200 * MEGABYTE,
    batchExpiresAfterSeconds: 7 * DAY_SECONDS,
    list: {
      ...openai.list,
      parameters: ['limit', 'after'],
      order: 'asc',
      defaultLimit: 20,
      maxLimit: 100,
      envelope: 'bare',
    },
    batches: batchRules.cerebras,
    id: { prefix: 'file', characters: 22 },
  },

  /** Source: Perplexity's "Batches" and "Files", as far as they differ: a key makes a repeated creation safe. */
  perplexity: { ...other, purposes: ['batch'], batches: batchRules.perplexity },

  /** Like OpenAI, but for one thing. */
  'no-expiry': { ...openai, expiry: 'refused', batchExpiresAfterSeconds: null },
  'no-deletes': { ...openai, canDelete: false },
} satisfies Readonly<Record<string, Dialect>>;

export type DialectName = keyof typeof known;

export const dialects: Readonly<Record<DialectName, Dialect>> = known;
export const dialectNames = Object.keys(dialects) as readonly DialectName[];
