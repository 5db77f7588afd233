/** The official clients of other servers, as their users write them, against the emulator in that dialect. */
import Groq from 'groq-sdk';
import OpenAI, { AzureOpenAI, toFile } from 'openai';
import { afterEach, describe, expect, test } from 'vitest';
import type { DialectName } from '../../src/emulator/dialects.ts';
import { startEmulator, type Emulator } from '../support/faulty-emulator.ts';

const running: Emulator[] = [];
afterEach(() => Promise.all(running.splice(0).map((emulator) => emulator.close())));

async function start(dialect: DialectName): Promise<Emulator> {
  const emulator = await startEmulator({ dialect });
  running.push(emulator);
  return emulator;
}

const line = Buffer.from('{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{}}\n');
const batchFile = () => toFile(line, 'a.jsonl');

test('AzureOpenAI with an api version: upload with expiry, list, read, delete', async () => {
  const { url, requests } = await start('azure');
  const client = new AzureOpenAI({
    endpoint: new URL(url).origin,
    apiKey: 'azure-key',
    apiVersion: '2024-10-21',
    maxRetries: 0,
  });
  const file = await client.files.create({
    purpose: 'batch',
    file: await batchFile(),
    expires_after: { anchor: 'created_at', seconds: 1_209_600 },
  });
  expect(file).toMatchObject({ status: 'pending', expires_at: file.created_at + 1_209_600 });
  const listed: string[] = [];
  for await (const each of client.files.list({ purpose: 'batch' })) listed.push(each.id);
  expect(listed).toEqual([file.id]);
  expect(await (await client.files.content(file.id)).text()).toBe(line.toString());
  expect(await client.files.delete(file.id)).toMatchObject({ deleted: true });
  expect(requests.all().map(({ status }) => status)).toEqual([201, 200, 200, 200]);
});

test('AzureOpenAI: a life of three days is refused', async () => {
  const { url } = await start('azure');
  const client = new AzureOpenAI({ endpoint: new URL(url).origin, apiKey: 'k', apiVersion: '2024-10-21' });
  const creating = client.files.create({
    purpose: 'batch',
    file: await batchFile(),
    expires_after: { anchor: 'created_at', seconds: 259_200 },
  });
  await expect(creating).rejects.toThrow(/expires_after\.seconds/);
});

test('groq-sdk: upload, list, info, content, delete', async () => {
  const { url, requests } = await start('groq');
  const client = new Groq({ apiKey: 'gsk_test', baseURL: new URL(url).origin, maxRetries: 0 });
  const file = await client.files.create({ purpose: 'batch', file: await batchFile() });
  expect((await client.files.list()).data?.map(({ id }) => id)).toEqual([file.id]);
  expect(await client.files.info(file.id ?? '')).toMatchObject({ filename: 'a.jsonl', bytes: line.length });
  expect(await (await client.files.content(file.id ?? '')).text()).toBe(line.toString());
  expect(await client.files.delete(file.id ?? '')).toMatchObject({ deleted: true });
  expect(requests.all().map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
});

describe('the openai package with a base URL of its own, as these servers document it', () => {
  test.each([
    ['azure-v1', 'batch', 'a.jsonl'],
    ['xai', 'assistants', 'a.pdf'],
    ['moonshot', 'file-extract', 'a.pdf'],
    ['dashscope', 'file-extract', 'a.pdf'],
    ['litellm', 'batch', 'a.jsonl'],
    ['cerebras', 'batch', 'a.jsonl'],
  ] as const)('%s', async (dialect, purpose, name) => {
    const { url, requests } = await start(dialect);
    const client = new OpenAI({ apiKey: 'k', baseURL: url, maxRetries: 0 });
    const upload = { purpose: purpose as OpenAI.FilePurpose, file: await toFile(line, name) };
    const file = await client.files.create(upload);
    expect((await client.files.list()).data.map(({ id }) => id)).toEqual([file.id]);
    expect(await client.files.retrieve(file.id)).toMatchObject({ filename: name, bytes: line.length });
    expect(await client.files.delete(file.id)).toMatchObject({ deleted: true });
    expect(requests.all().map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });
});
