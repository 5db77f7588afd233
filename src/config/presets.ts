/**
 * Settings for servers that speak the Files API in their own way, as data: a part of a configuration file each, below
 * the user's own. Only what that server documents is set; its document is named beside it.
 */
import type { z } from 'zod';
import { isObject } from '../contract/json.ts';
import { defaultFolders } from './folders.ts';
import { presetNames, type PresetName } from './preset-names.ts';
import type { configSchema } from './schema.ts';

export type ConfigPart = z.input<typeof configSchema>;

const MEGABYTE = 1_000_000;
const MEBIBYTE = 1024 * 1024;
const DAY_SECONDS = 86_400;

/** The default folders that such a server has no purpose for. */
function without(...names: readonly string[]): Readonly<Record<string, false>> {
  return Object.fromEntries(names.map((name) => [name, false]));
}

const batchAlone = without('assistants', 'evals', 'fine-tune', 'user_data', 'vision');

const noExpiry = { form: 'none' } as const;

/**
 * What is demanded of batch lines where a server does not say otherwise: any endpoint, and no limit that is OpenAI's
 * alone. That a `custom_id` is unique, and `body` an object, all of them demand.
 */
const anyRequests = {
  endpoints: null,
  oneEndpoint: false,
  oneModel: false,
  maxEmbeddingInputs: null,
} as const;

/**
 * Source: "Getting started with Azure OpenAI batch deployments" (expiry from 14 to 30 days, batch lines without
 * `/v1`; by its error codes `url_mismatch`, `model_mismatch` and `too_many_tasks` one endpoint and one model a file,
 * and 100,000 requests) and "Azure OpenAI REST API reference" (the `api-key` header, `api-version` in the query, the
 * purposes).
 */
const azureBatch = { requests: { endpoints: null, maxRequests: 100_000, maxEmbeddingInputs: null } } as const;
const azure = {
  auth: 'api-key',
  expiry: { minSeconds: 14 * DAY_SECONDS, maxSeconds: 30 * DAY_SECONDS },
} as const;

export const presets: Readonly<Record<PresetName, ConfigPart>> = {
  azure: {
    api: azure,
    limits: { storageBytes: null },
    folders: { batch: azureBatch, ...without('vision', 'user_data') },
  },

  /** As above, and "Azure OpenAI v1 API reference"; `user_data` is refused, as "Use the Responses API" says. */
  'azure-v1': {
    api: azure,
    limits: { storageBytes: null },
    folders: { batch: azureBatch, ...without('user_data') },
  },

  /** Source: "Groq Batch API" (chat, transcriptions and translations; 50,000 lines), and the official groq-sdk, whose `files.list` takes no parameters. */
  groq: {
    api: { baseUrl: 'https://api.groq.com/openai/v1', listParameters: 'none', expiry: noExpiry },
    limits: { storageBytes: null },
    folders: {
      batch: { maxBytes: 100 * MEGABYTE, requests: anyRequests },
      ...batchAlone,
    },
  },

  /**
   * Source: xAI's "Batch API" (chat, images and videos in one file, each line with its own endpoint and model),
   * "Files" guide and "REST API reference: Files". One says 48 MB and the other 50 MB, which is the
   * same number in binary and in decimal megabytes.
   */
  xai: {
    api: { baseUrl: 'https://api.x.ai/v1' },
    limits: { storageBytes: null },
    folders: {
      // The extensions that OpenAI takes for this purpose are no rule there.
      assistants: { check: 'off' },
      batch: { maxBytes: 48 * MEBIBYTE, requests: { ...anyRequests, maxRequests: null } },
      user_data: { maxBytes: 48 * MEBIBYTE },
      vision: { maxBytes: 48 * MEBIBYTE },
      ...without('evals', 'fine-tune'),
    },
  },

  /**
   * Source: Moonshot AI's "Files: upload" and "Files: list" (100 MB a file, 10 GB in all, a list without parameters),
   * and "Use Batch API" (one endpoint, one model a file; no most of lines).
   */
  moonshot: {
    api: { baseUrl: 'https://api.moonshot.ai/v1', listParameters: 'none', expiry: noExpiry },
    limits: { storageBytes: 10_000 * MEGABYTE },
    folders: {
      batch: {
        maxBytes: 100 * MEGABYTE,
        requests: { endpoints: ['/v1/chat/completions'], maxRequests: null },
      },
      documents: { purpose: 'file-extract', maxBytes: 100 * MEGABYTE },
      images: { purpose: 'image', maxBytes: 100 * MEGABYTE },
      videos: { purpose: 'video', maxBytes: 100 * MEGABYTE },
      ...batchAlone,
    },
  },

  /**
   * Source: Zhipu BigModel's "File API: upload" (sizes by purpose), "File list" (the purpose is required) and "Batch
   * API" (endpoints below `/v4/`, 50,000 requests).
   */
  zhipu: {
    api: {
      baseUrl: 'https://open.bigmodel.cn/api/paas/v4',
      listParameters: 'by-purpose',
      expiry: noExpiry,
    },
    limits: { storageBytes: null },
    folders: {
      agent: { purpose: 'agent', maxBytes: 20 * MEGABYTE },
      batch: { maxBytes: 100 * MEGABYTE, requests: anyRequests },
      'code-interpreter': { purpose: 'code-interpreter', maxBytes: 20 * MEGABYTE },
      ...batchAlone,
    },
  },

  /**
   * Source: Alibaba Cloud Model Studio's "OpenAI compatible file interface" (100 GB in all, files do not expire) and
   * "OpenAI compatible - Batch" (500 MB, 50,000 requests, endpoints of its own for tests).
   */
  dashscope: {
    api: { baseUrl: 'https://dashscope.aliyuncs.com/compatible-mode/v1', expiry: noExpiry },
    limits: { storageBytes: 100_000 * MEGABYTE },
    folders: {
      batch: { maxBytes: 500 * MEGABYTE, requests: anyRequests },
      documents: { purpose: 'file-extract', maxBytes: 150 * MEGABYTE },
      ...batchAlone,
    },
  },

  /**
   * Source: LiteLLM's "Provider Files Endpoints" (the provider is a form field of the upload) and its pages on batches,
   * by which the lines are those of the provider behind it.
   */
  litellm: {
    api: { allowHttp: ['litellm'], uploadFields: { custom_llm_provider: 'openai' } },
    limits: { storageBytes: null },
    folders: { batch: { requests: { ...anyRequests, maxRequests: null } } },
  },

  /** Source: Cerebras' "Upload file", "List files" (`batch` alone, up to 200 MB, kept for 7 days) and "Batch". */
  cerebras: {
    api: { baseUrl: 'https://api.cerebras.ai/v1' },
    limits: { storageBytes: null },
    folders: {
      batch: { maxBytes: 200 * MEGABYTE, requests: anyRequests },
      ...batchAlone,
    },
  },
};

/** Addresses that only the user knows, as they look. */
const ownAddresses: ReadonlyMap<PresetName, string> = new Map([
  ['azure', 'https://RESOURCE.openai.azure.com/openai?api-version=2024-10-21'],
  ['azure-v1', 'https://RESOURCE.openai.azure.com/openai/v1'],
  ['litellm', 'http://litellm:4000/v1'],
]);

/** What the base URL looks like where a preset cannot know it; null where it does. */
export function ownAddressOf(preset: PresetName | null): string | null {
  return preset === null ? null : (ownAddresses.get(preset) ?? null);
}

/** What `raw`, a configuration as it was read, says on top of the preset that it names; without one, `raw` itself. */
export function withPreset(raw: unknown): unknown {
  const name = isObject(raw) && isObject(raw['api']) ? raw['api']['preset'] : null;
  const preset = presetNames.find((known) => known === name);
  if (preset === undefined) return raw;
  const merged = merge(presets[preset], raw);
  if (!isObject(merged) || !isObject(merged['folders'])) return merged;
  // A folder that only the preset has is switched off by leaving it out.
  const folders = Object.entries(merged['folders']).filter(
    ([folder, rules]) => rules !== false || defaultFolders.has(folder) || !hasFolder(preset, folder),
  );
  return { ...merged, folders: Object.fromEntries(folders) };
}

/** The folders that a preset has, or switches off. */
export function presetFolders(preset: PresetName | null): readonly string[] {
  return preset === null ? [] : Object.keys(presets[preset].folders ?? {});
}

function hasFolder(preset: PresetName, folder: string): boolean {
  return presetFolders(preset).includes(folder);
}

/** Objects key by key; anything else is replaced as a whole. */
function merge(below: unknown, above: unknown): unknown {
  if (above === undefined) return below;
  if (!isObject(below) || !isObject(above)) return above;
  const keys = new Set([...Object.keys(below), ...Object.keys(above)]);
  return Object.fromEntries(Array.from(keys, (key) => [key, merge(below[key], above[key])]));
}
