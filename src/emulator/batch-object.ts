import type { BatchRules } from './batch-rules.ts';
import { statusAt, windowEndMs } from './batch-timeline.ts';
import type { BatchEnd, LinesDone, StoredBatch, Tokens } from './stored-batch.ts';

/** The batch as the server describes it. */
export function batchObject(
  batch: StoredBatch,
  done: LinesDone,
  nowMs: number,
  rules: BatchRules,
): Record<string, unknown> {
  const status = statusAt(batch, nowMs);
  const { end, reading } = batch;
  const finalizing = status === 'finalizing' || end?.status === 'completed' || end?.status === 'expired';
  const endedAs = (name: BatchEnd['status']): number | null => (end?.status === name ? end.atMs : null);
  return {
    id: batch.id,
    object: 'batch',
    endpoint: batch.endpoint,
    ...(rules.tellsUsage && reading?.model ? { model: reading.model } : {}),
    errors: end?.status === 'failed' ? { object: 'list', data: reading?.problems ?? [] } : null,
    input_file_id: batch.inputFileId,
    completion_window: batch.completionWindow,
    status: rules.states === 'lower' ? status : capital(status),
    ...fileId('output_file_id', end?.outputFileId ?? null, rules),
    ...fileId('error_file_id', end?.errorFileId ?? null, rules),
    created_at: time(batch.createdAtMs, rules),
    in_progress_at: time(batch.inProgressAtMs, rules),
    expires_at: time(windowEndMs(batch), rules),
    finalizing_at: time(finalizing ? finalizedAtMs(batch) : null, rules),
    completed_at: time(endedAs('completed'), rules),
    failed_at: time(endedAs('failed'), rules),
    expired_at: time(endedAs('expired'), rules),
    cancelling_at: time(batch.cancellingAtMs, rules),
    cancelled_at: time(endedAs('cancelled'), rules),
    request_counts: counts(batch, done, rules),
    ...(rules.tellsUsage && end !== null ? { usage: usage(end.tokens) } : {}),
    metadata: batch.metadata,
  };
}

/** An expired batch is finalized early: at the end of its window. */
function finalizedAtMs({ finalizingAtMs, end }: StoredBatch): number | null {
  return end?.status === 'expired' ? Math.min(end.atMs, finalizingAtMs ?? Infinity) : finalizingAtMs;
}

function capital(status: string): string {
  return status.charAt(0).toUpperCase() + status.slice(1);
}

function time(ms: number | null, { times }: BatchRules): number | string | null {
  if (ms === null) return null;
  return times === 'unix' ? Math.floor(ms / 1000) : new Date(ms).toISOString();
}

function fileId(name: string, id: string | null, { absentIds }: BatchRules): Record<string, string | null> {
  if (id !== null) return { [name]: id };
  if (absentIds === 'omitted') return {};
  return { [name]: absentIds === 'empty' ? '' : null };
}

function counts(batch: StoredBatch, done: LinesDone, { earlyCounts }: BatchRules): object | null {
  if (batch.inProgressAtMs === null)
    return earlyCounts === 'null' ? null : { total: 0, completed: 0, failed: 0 };
  return { total: batch.reading?.requests ?? 0, completed: done.completed, failed: done.failed };
}

function usage({ input, output }: Tokens): object {
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + output,
  };
}
