/** What the API sends about batches, each field read by itself, as servers spell it. */
import type { BatchProblem, RemoteBatch, RequestCounts, TokenUsage } from '../contract/batch.ts';
import { continuationOf, readEntries } from './replies.ts';
import type { ListPage } from './replies.ts';
import { fieldsOf, parseJson, readId, readSize, readText, readTime } from './reply-fields.ts';
import type { Fields, Reading } from './reply-fields.ts';

/** A reply that is, or wraps, one batch. Its id alone is needed. */
export function readBatchReply(text: string): Reading<RemoteBatch> {
  const parsed = parseJson(text);
  if ('problem' in parsed) return parsed;
  const object = unwrapped(parsed.value);
  if (object === null) return { problem: 'it is no JSON object' };
  return readBatch(object);
}

export interface BatchPage extends Pick<ListPage, 'hasMore' | 'next'> {
  readonly batches: readonly RemoteBatch[];
  /** The id after which the next page begins; null: the page has none. */
  readonly last: string | null;
}

/** A reply that lists batches. What has no id that can be read is no batch that anything could be done with. */
export function readBatchList(text: string): Reading<BatchPage> {
  const found = readEntries(text);
  if ('problem' in found) return found;
  const { entries, reply } = found.value;
  const readings = entries.map((entry) => readBatch(fieldsOf(entry) ?? {}));
  const batches = readings.flatMap((reading) => ('value' in reading ? [reading.value] : []));
  const last = batches.at(-1)?.id ?? null;
  return { value: { batches, last, ...continuationOf(reply) } };
}

/** Some servers put their object into an envelope. */
function unwrapped(value: unknown): Fields | null {
  const outer = fieldsOf(value);
  if (outer === null || 'status' in outer || 'input_file_id' in outer) return outer;
  const inner = ['data', 'batch', 'job'].map((name) => fieldsOf(outer[name]));
  return inner.find((each) => each !== null && 'id' in each) ?? outer;
}

function readBatch(object: Fields): Reading<RemoteBatch> {
  const id = readId(object);
  if ('problem' in id) return id;
  return {
    value: {
      id: id.value,
      status: readText(object['status'])?.trim().toLowerCase() || 'unknown',
      endpoint: readName(object['endpoint']),
      inputFileId: readName(object['input_file_id']),
      outputFileId: readName(object['output_file_id']),
      errorFileId: readName(object['error_file_id']),
      createdAt: timeOf(object, 'created_at'),
      inProgressAt: timeOf(object, 'in_progress_at'),
      finalizingAt: timeOf(object, 'finalizing_at'),
      expiresAt: timeOf(object, 'expires_at'),
      endedAt: timeOf(object, 'completed_at', 'failed_at', 'expired_at', 'cancelled_at'),
      counts: countsOf(fieldsOf(object['request_counts']) ?? {}),
      usage: usageOf(fieldsOf(object['usage']) ?? {}),
      metadata: textsOf(fieldsOf(object['metadata'])),
      problems: problemsOf(object['errors']),
    },
  };
}

/** Empty text stands for nothing. */
function readName(value: unknown): string | null {
  return readText(value) || null;
}

/** The first of these times that there is. QUIRK: zero and negative times are how some servers say "not yet". */
function timeOf(object: Fields, ...names: readonly string[]): number | null {
  const times = names.map((name) => readTime(object[name]));
  return times.find((time) => time !== null && time > 0) ?? null;
}

function countsOf(object: Fields): RequestCounts | null {
  const total = readSize(object['total']);
  const completed = readSize(object['completed']);
  const failed = readSize(object['failed']);
  if (total === null && completed === null && failed === null) return null;
  const done = { completed: completed ?? 0, failed: failed ?? 0 };
  return { total: total ?? done.completed + done.failed, ...done };
}

function usageOf(object: Fields): TokenUsage | null {
  const inputTokens = readSize(object['input_tokens'] ?? object['prompt_tokens']);
  const outputTokens = readSize(object['output_tokens'] ?? object['completion_tokens']);
  if (inputTokens === null && outputTokens === null) return null;
  return { inputTokens: inputTokens ?? 0, outputTokens: outputTokens ?? 0 };
}

function textsOf(object: Fields | null): Readonly<Record<string, string>> | null {
  if (object === null) return null;
  const scalars = Object.entries(object).filter(([, value]) => /string|number|boolean/.test(typeof value));
  return Object.fromEntries(scalars.map(([name, value]) => [name, String(value)]));
}

function problemsOf(errors: unknown): readonly BatchProblem[] {
  const outer = fieldsOf(errors);
  const list = Array.isArray(errors) ? errors : (outer?.['data'] ?? (outer === null ? [] : [outer]));
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown) => {
    const object = fieldsOf(item);
    const message = readText(item) ?? readText(object?.['message']) ?? '';
    const code = readText(object?.['code']) ?? '';
    if (message === '' && code === '') return [];
    return [{ code, message, line: readSize(object?.['line']), param: readName(object?.['param']) }];
  });
}
