/**
 * Example configurations for servers that speak the Files API in their own way. The README shows them, the scenarios
 * run them against the emulator in that dialect: what is documented is what was tried.
 */
import type { z } from 'zod';
import type { configSchema } from '../../src/config/schema.ts';
import type { DialectName } from '../../src/emulator/dialects.ts';

export interface DialectExample {
  readonly title: string;
  /** How the emulator is told to be like this server. */
  readonly dialect: DialectName;
  /** What is different there, in one sentence. */
  readonly sentence: string;
  readonly config: z.input<typeof configSchema> & { readonly api: { readonly baseUrl: string } };
}

export const dialectExamples = {
  azure: {
    title: 'Azure OpenAI',
    dialect: 'azure',
    sentence:
      'The key goes into an `api-key` header, the API version into the query of the base URL, and batch lines name their endpoint without `/v1`, which only the server can judge.',
    config: {
      api: {
        baseUrl: 'https://RESOURCE.openai.azure.com/openai?api-version=2025-04-01-preview',
        auth: 'api-key',
      },
      folders: { batch: { check: 'basic' }, vision: false, user_data: false },
    },
  },
  groq: {
    title: 'Groq',
    dialect: 'groq',
    sentence: 'It takes batch files only, up to 100 MB, and its list knows no parameters.',
    config: {
      api: { baseUrl: 'https://api.groq.com/openai/v1', listParameters: 'none' },
      folders: {
        batch: { maxBytes: 100_000_000 },
        assistants: false,
        evals: false,
        'fine-tune': false,
        user_data: false,
        vision: false,
      },
    },
  },
  xai: {
    title: 'xAI',
    dialect: 'xai',
    sentence:
      'Expiry is accepted only ahead of the file, which is how files-mirror always sends it, and lists do not say whether there is more.',
    config: {
      api: { baseUrl: 'https://api.x.ai/v1' },
      folders: { batch: { expiresAfterSeconds: 604_800 } },
    },
  },
  moonshot: {
    title: 'Moonshot',
    dialect: 'moonshot',
    sentence:
      'It has purposes of its own: folders of any name are mapped to them, and what is not there is switched off.',
    config: {
      api: { baseUrl: 'https://api.moonshot.ai/v1', listParameters: 'none' },
      folders: {
        documents: { purpose: 'file-extract', maxBytes: 100_000_000 },
        images: { purpose: 'image', maxBytes: 100_000_000 },
        batch: { maxBytes: 100_000_000 },
        assistants: false,
        evals: false,
        'fine-tune': false,
        user_data: false,
        vision: false,
      },
    },
  },
  noExpiry: {
    title: 'A server that refuses `expires_after`',
    dialect: 'no-expiry',
    sentence:
      'Nothing is to be set: `expiresAfterSeconds` is null unless you ask for an expiry, and then no such field is sent.',
    config: {
      api: { baseUrl: 'https://files.example.com/v1' },
      folders: { batch: { expiresAfterSeconds: null } },
    },
  },
} as const satisfies Readonly<Record<string, DialectExample>>;

const begin = '<!-- dialects:begin -->';
const end = '<!-- dialects:end -->';

/** The examples as Markdown. */
export function renderDialects(): string {
  return Object.values(dialectExamples)
    .map(
      ({ title, sentence, config }) =>
        `**${title}.** ${sentence}\n\n\`\`\`json\n${JSON.stringify(config, null, 2)}\n\`\`\``,
    )
    .join('\n\n');
}

/** The text with what stands between the two markers replaced. Throws `Error` when it has no markers. */
export function withDialects(readme: string): string {
  const from = readme.indexOf(begin);
  const to = readme.indexOf(end);
  if (from === -1 || to < from) throw new Error(`no ${begin} … ${end} in the text`);
  return `${readme.slice(0, from + begin.length)}\n${renderDialects()}\n${readme.slice(to)}`;
}
