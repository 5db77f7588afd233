/** An emulator with a clock in the test's hand, and the requests to `/batches` as plain calls. */
import type { EmulatorOptions } from '../support/faulty-emulator.ts';
import { startEmulator, type Emulator } from '../support/faulty-emulator.ts';
import type { BatchEnd, BatchProblem } from '../../src/emulator/stored-batch.ts';
import type { ErrorBody } from './wire.ts';

export const START_MS = 1_763_766_000_000;

export interface BatchReply {
  readonly id: string;
  readonly status: BatchEnd['status'] | 'validating' | 'in_progress' | 'finalizing' | 'cancelling';
  readonly errors: { readonly data: readonly BatchProblem[] } | null;
  readonly output_file_id: string | null;
  readonly error_file_id: string | null;
  readonly request_counts: { readonly total: number; readonly completed: number; readonly failed: number };
  readonly [name: string]: unknown;
}

export interface BatchDesk {
  readonly emulator: Emulator;
  /** Lets the clock go on. */
  pass(ms: number): void;
  nowMs(): number;
  input(content: string): Promise<string>;
  /** Stores the input, and creates a batch of it. */
  submit(content: string, fields?: Readonly<Record<string, unknown>>): Promise<BatchReply>;
  create(fields: object, headers?: Readonly<Record<string, string>>): Promise<Response>;
  get(path: string): Promise<Response>;
  retrieve(id: string): Promise<BatchReply>;
  cancel(id: string): Promise<Response>;
}

export async function openBatchDesk(options: EmulatorOptions = {}): Promise<BatchDesk> {
  let nowMs = START_MS;
  const emulator = await startEmulator({ clock: { nowMs: () => nowMs }, ...options });
  const authorization = 'Bearer sk-test';
  const get = (path: string): Promise<Response> => fetch(emulator.url + path, { headers: { authorization } });
  const post = (path: string, body: string | null, headers: object = {}): Promise<Response> =>
    fetch(emulator.url + path, { method: 'POST', headers: { authorization, ...headers }, body });
  const create: BatchDesk['create'] = (fields, headers) =>
    post('/batches', JSON.stringify(fields), { 'content-type': 'application/json', ...headers });
  const input = async (content: string): Promise<string> =>
    (await emulator.store.add({ purpose: 'batch', filename: 'a.jsonl', content })).id;
  return {
    emulator,
    pass: (ms) => void (nowMs += ms),
    nowMs: () => nowMs,
    input,
    submit: async (content, fields = {}) => {
      const reply = await create({
        input_file_id: await input(content),
        endpoint: '/v1/chat/completions',
        completion_window: '24h',
        ...fields,
      });
      if (!reply.ok) throw new Error(await reply.text());
      return (await reply.json()) as BatchReply;
    },
    create,
    get,
    retrieve: async (id) => (await (await get(`/batches/${id}`)).json()) as BatchReply,
    cancel: (id) => post(`/batches/${id}/cancel`, null),
  };
}

export async function refusalOf(reply: Response): Promise<ErrorBody['error'] & { readonly status: number }> {
  return { status: reply.status, ...((await reply.json()) as ErrorBody).error };
}
