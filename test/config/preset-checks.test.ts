import { describe, expect, test } from 'vitest';
import { createDetailedCheck } from '../../src/checks/checks.ts';
import { presetNames, type PresetName } from '../../src/config/preset-names.ts';
import { linesOf } from '../corpus/make-corpus.ts';
import { configFolder } from './load-for-test.ts';

const { load } = configFolder();
const messages = [{ role: 'user', content: 'Hello?' }];

function line(custom_id: string, url: string, body: object): object {
  return { custom_id, method: 'POST', url, body };
}

/** A batch file of the shape that each server documents. */
const FILES: Readonly<Record<PresetName, readonly object[]>> = {
  azure: [
    line('task-0', '/chat/completions', { model: 'DEPLOYMENT', messages }),
    line('task-1', '/chat/completions', { model: 'DEPLOYMENT', messages }),
  ],
  'azure-v1': [
    line('task-0', '/v1/responses', { model: 'DEPLOYMENT', input: 'Hello?' }),
    line('task-1', '/v1/responses', { model: 'DEPLOYMENT', input: 'Hello?' }),
  ],
  groq: [
    line('chat-1', '/v1/chat/completions', { model: 'llama-3.1-8b-instant', messages }),
    line('chat-2', '/v1/chat/completions', { model: 'llama-3.3-70b-versatile', messages }),
    line('audio-1', '/v1/audio/transcriptions', {
      model: 'whisper-large-v3',
      url: 'https://example.com/a.wav',
    }),
    line('audio-2', '/v1/audio/translations', {
      model: 'whisper-large-v3',
      url: 'https://example.com/b.wav',
    }),
  ],
  xai: [
    line('chat', '/v1/chat/completions', { model: 'grok-4', messages }),
    line('answer', '/v1/responses', { model: 'grok-4', input: 'Hello?' }),
    line('image', '/v1/images/generations', { model: 'grok-imagine-image', prompt: 'A cat' }),
    line('video', '/v1/videos/generations', { model: 'grok-imagine-video', prompt: 'A cat runs' }),
  ],
  moonshot: [line('request-1', '/v1/chat/completions', { model: 'kimi-k2.6', messages })],
  zhipu: [line('request-1', '/v4/chat/completions', { model: 'glm-4', messages })],
  dashscope: [
    line('1', '/v1/chat/completions', { model: 'qwen-max', messages }),
    line('2', '/v1/chat/completions', { model: 'qwen-max', messages }),
  ],
  litellm: [line('request-1', '/v1/chat/completions', { model: 'my-alias', messages })],
  cerebras: [line('eval-001', '/v1/chat/completions', { model: 'gpt-oss-120b', messages })],
};

async function problemOf(preset: PresetName, lines: readonly unknown[]): Promise<string | null> {
  const { folders } = await load({ api: { preset, baseUrl: 'https://files.example.com/v1' } });
  const rules = folders.find(({ folder }) => folder === 'batch');
  if (rules === undefined) throw new Error('no batch folder');
  const content = linesOf(lines);
  const check = createDetailedCheck(rules, 'a.jsonl', content.length);
  check.write(content);
  return check.end().problem?.message ?? null;
}

describe.each(presetNames)('batch files for %s', (preset) => {
  test('of the shape that it documents are accepted', async () => {
    expect(await problemOf(preset, FILES[preset])).toBeNull();
  });

  test('that no server takes are refused', async () => {
    const [first] = FILES[preset];
    expect(await problemOf(preset, [first, first])).toMatch(
      /^line 2: custom_id .* is already used on line 1$/,
    );
    expect(await problemOf(preset, [first, '{"custom_id":'])).toBe('line 2: ends inside an object');
    expect(await problemOf(preset, [{ ...first, body: 'text' }])).toBe(
      'line 1: body is a string instead of an object',
    );
  });
});

test('what differs from OpenAI is named key by key; the rest stays as it is', async () => {
  const { folders } = await load({
    folders: { batch: { requests: { oneModel: false, required: ['url'] } } },
  });
  const rules = folders.find(({ folder }) => folder === 'batch')!;
  const check = createDetailedCheck(rules, 'a.jsonl', 1);
  check.write(
    linesOf([
      { custom_id: '1', url: '/v1/responses', body: { model: 'a' } },
      { custom_id: '2', url: '/v1/responses', body: { model: 'b' } },
      { custom_id: '3', url: '/v1/chat/completions', body: {} },
      { custom_id: '4', url: '/v1/anything', body: {} },
      { custom_id: '5', body: {} },
    ]),
  );
  expect(check.end().findings).toMatchObject([
    { line: 3, rule: 'url-mixed' },
    { line: 4, rule: 'url' },
    { line: 5, rule: 'url' },
  ]);
});
