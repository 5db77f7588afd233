/**
 * The presets as the README shows them: what is different at each server, what its preset sets, and what was tried
 * against what. `test/scenarios/dialect-lives.test.ts` tries them; what is documented is what was tried.
 */
import { ownAddressOf, presets } from '../../src/config/presets.ts';
import { presetNames, type PresetName } from '../../src/config/preset-names.ts';
import type { TestConfig } from './blackbox/fast-config.ts';

interface ServerNote {
  readonly title: string;
  /** What is different there, in a sentence or two. */
  readonly differs: string;
  /** Its own client, where the emulator was tried with one. */
  readonly client: string | null;
}

const notes: Readonly<Record<PresetName, ServerNote>> = {
  azure: {
    title: 'Azure OpenAI, with `api-version`',
    differs:
      'The key goes into an `api-key` header, the API version into the query of the base URL. Expiry from 14 to 30 days. Lists know `purpose` alone.',
    client: '`AzureOpenAI` of `openai`',
  },
  'azure-v1': {
    title: 'Azure OpenAI, `/openai/v1`',
    differs: 'The same key, and no version. Expiry from 14 to 30 days. `user_data` is not taken.',
    client: '`openai`',
  },
  groq: {
    title: 'Groq',
    differs: 'Batch files only, up to 100 MB; no expiry; a list without parameters.',
    client: '`groq-sdk`',
  },
  xai: {
    title: 'xAI',
    differs:
      '48 MB a file; purposes are a label. Expiry is accepted only ahead of the file, which is how it is always sent; pages by token.',
    client: '`openai`',
  },
  moonshot: {
    title: 'Moonshot',
    differs: 'Purposes of its own, 100 MB a file, 10 GB in all; no expiry; a list without parameters.',
    client: '`openai`',
  },
  zhipu: {
    title: 'Zhipu (BigModel)',
    differs: 'Purposes of its own; a list of one purpose at a time, 100 a page; no expiry.',
    client: null,
  },
  dashscope: {
    title: 'DashScope (Alibaba Cloud)',
    differs: '`file-extract` up to 150 MB and `batch` up to 500 MB, 100 GB in all; no expiry.',
    client: '`openai`',
  },
  litellm: {
    title: 'LiteLLM',
    differs:
      'A gateway in your network: plain http to `litellm`, the provider as a form field (`custom_llm_provider`, yours wins), ids of hundreds of characters.',
    client: '`openai`',
  },
  cerebras: {
    title: 'Cerebras',
    differs: 'Batch files only, up to 200 MB, kept for 7 days; lists oldest first, 100 a page.',
    client: '`openai`',
  },
};

/** The preset at the server of a test, whose address is all that differs from what a user writes. */
export function presetConfig(preset: PresetName, serverUrl: string): TestConfig {
  const { search } = new URL(ownAddressOf(preset) ?? 'http://none');
  return { api: { preset, baseUrl: `${serverUrl}${search}` } };
}

const begin = '<!-- dialects:begin -->';
const end = '<!-- dialects:end -->';

/** The presets as a Markdown table. */
export function renderDialects(): string {
  const rows = presetNames.map((preset) => {
    const { title, differs, client } = notes[preset];
    return `| \`${preset}\` | ${title} | ${differs} | ${settingsOf(preset)} | ${client ?? 'none'} |`;
  });
  return [
    '| `api.preset` | server | what is different there | what the preset sets | the emulator was tried with |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

/** The settings under `api` one by one, then the folders in few words, those that are switched off at the end. */
function settingsOf(preset: PresetName): string {
  const { api = {}, folders = {} } = presets[preset];
  const address = ownAddressOf(preset);
  const off = Object.keys(folders).filter((name) => folders[name] === false);
  return [
    ...(address === null ? [] : [`\`api.baseUrl\` is yours: \`${address}\``]),
    ...leaves(api, ['api']),
    ...Object.entries(folders).flatMap(([name, rules]) => (rules ? [folderText(name, rules)] : [])),
    ...(off.length === 0 ? [] : [`off: ${off.map((name) => `\`${name}/\``).join(', ')}`]),
  ].join('<br>');
}

type Folders = NonNullable<TestConfig['folders']>;

/** `documents/`: `file-extract`, 100 MB. */
function folderText(name: string, rules: Exclude<Folders[string], false>): string {
  const { purpose, maxBytes, check, requests } = rules;
  const facts = [
    ...(purpose === undefined || purpose === name ? [] : [`\`${purpose}\``]),
    ...(maxBytes === undefined ? [] : [`${Math.round(maxBytes / 1_000_000)} MB`]),
    ...(check === undefined ? [] : [`\`check\` \`${check}\``]),
    ...(requests === undefined ? [] : ['`requests` as this server takes them']),
  ];
  return `\`${name}/\`: ${facts.join(', ')}`;
}

function leaves(value: unknown, path: readonly string[]): readonly string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [`\`${path.join('.')}\`: \`${JSON.stringify(value)}\``];
  return Object.entries(value).flatMap(([name, each]) => leaves(each, [...path, name]));
}

/** The text with what stands between the two markers replaced. Throws `Error` when it has no markers. */
export function withDialects(readme: string): string {
  const from = readme.indexOf(begin);
  const to = readme.indexOf(end);
  if (from === -1 || to < from) throw new Error(`no ${begin} … ${end} in the text`);
  return `${readme.slice(0, from + begin.length)}\n${renderDialects()}\n${readme.slice(to)}`;
}
