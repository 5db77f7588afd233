/** What real servers do wrong with batches, as rules for `FaultInjector`. Without `times` they strike every request. */
import type { BatchRules } from '../../src/emulator/batch-rules.ts';
import type { FaultAct, FaultRule } from './fault-injection.ts';

type Patch = (batch: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;

const BATCHES = /\/batches(?:\/|$)/;

/**
 * How a batch may look that was made for another client than OpenAI's: the emulator's option `batches`. Azure is said to
 * have some of it; its reference has none.
 */
export const oddBatches: Partial<BatchRules> = {
  states: 'capital',
  times: 'iso',
  earlyCounts: 'null',
  absentIds: 'empty',
  listKey: 'value',
};

/** What befalls requests for batches, and none for files: `atBatches(forbidden())`. */
export function atBatches(act: FaultAct, times = Infinity): FaultRule {
  return { match: { path: BATCHES }, act, times };
}

/** Every description of a batch is patched: in replies to its creation, its retrieval, its cancellation, and in lists. */
export function patchBatches(patch: Patch): FaultRule {
  const whole = (reply: Readonly<Record<string, unknown>>): unknown => {
    if (reply['object'] === 'batch') return patch(reply);
    const key = Array.isArray(reply['value']) ? 'value' : 'data';
    const entries = reply[key];
    return Array.isArray(entries) ? { ...reply, [key]: entries.map((entry) => patch(entry)) } : reply;
  };
  return { match: { path: BATCHES }, act: { kind: 'rewrite', patch: whole } };
}

/** The server keeps no metadata. */
export function metadataDropped(): FaultRule {
  return patchBatches((batch) => ({ ...batch, metadata: null }));
}

/** Ended for `ms` already, a batch still has no ids of its files. `empty`: they are empty text meanwhile. */
export function lateOutput(ms: number, nowMs: () => number = Date.now, absent: null | '' = null): FaultRule {
  return patchBatches((batch) => {
    const ends = ['completed_at', 'expired_at', 'cancelled_at'].map((name) => batch[name]);
    const endedAt = ends.find((each) => typeof each === 'number');
    if (endedAt === undefined || nowMs() >= endedAt * 1000 + ms) return batch;
    return { ...batch, output_file_id: absent, error_file_id: absent };
  });
}

/** Where there is no file, its id is empty text. */
export function emptyIds(): FaultRule {
  return patchBatches((batch) => ({
    ...batch,
    output_file_id: batch['output_file_id'] ?? '',
    error_file_id: batch['error_file_id'] ?? '',
  }));
}

/** In place of `when`, or of any, it has this status. */
export function falseStatus(status: string, when?: string): FaultRule {
  return patchBatches((batch) =>
    when === undefined || batch['status'] === when ? { ...batch, status } : batch,
  );
}

/** It counts every line as completed. */
export function lyingCounts(): FaultRule {
  return patchBatches((batch) => {
    const counts = batch['request_counts'] as { readonly total: number } | null;
    return counts === null
      ? batch
      : { ...batch, request_counts: { ...counts, completed: counts.total, failed: 0 } };
  });
}

/** The reply to a creation is lost, after the batch was stored. `before`: before it was. */
export function lostCreation(when: 'before' | 'after', times = 1): FaultRule {
  const at = when === 'before' ? 'body' : 'handled';
  return { match: { method: 'POST', path: /\/batches$/ }, act: { kind: 'reset', at }, times };
}

/** A creation is never answered, after the batch was stored. */
export function hangingCreation(times = 1): FaultRule {
  return { match: { method: 'POST', path: /\/batches$/ }, act: { kind: 'hang', at: 'handled' }, times };
}

/** Lists know a new batch only so long after its creation; with `retrieve` also its `GET`. */
export function laggingBatches(ms: number, retrieve = false): FaultRule {
  return { match: { path: BATCHES }, act: { kind: 'list-lag', ms, retrieve } };
}

/** Lists show batches as they are now, whatever comes. */
export function staleBatches(): FaultRule {
  return { match: { method: 'GET', path: /\/batches$/ }, act: { kind: 'list-stale' } };
}

/** The content of a file breaks off with its connection. `silently`: it is just shorter, and says so. */
export function cutContent(bytes: number, how: 'reset' | 'silently' = 'reset', times = 1): FaultRule {
  const act =
    how === 'reset'
      ? { kind: 'cut' as const, afterBytes: bytes }
      : { kind: 'truncate' as const, keepBytes: bytes };
  return { match: { path: /\/content$/ }, act, times };
}
