import type { BatchRecord, RemoteBatch, RequestsFile } from '../../src/contract/batch.ts';
import { newRecord } from '../../src/batches/wanting.ts';

export const NOW = 1_800_000_000;

export const requestsFile = (changes: Partial<RequestsFile> = {}): RequestsFile => ({
  requests: 10,
  endpoint: '/v1/chat/completions',
  model: 'gpt-5-mini',
  inputTokens: 1_000,
  ...changes,
});

export function recordOf(changes: Partial<BatchRecord> = {}): BatchRecord {
  const made = newRecord('batch/a.jsonl', { id: 'file-a', purpose: 'batch', sha256: 'sha-a' }, NOW);
  return { ...made, file: requestsFile(), ...changes };
}

export const batchOf = (changes: Partial<RemoteBatch> = {}): RemoteBatch => ({
  id: 'batch_1',
  status: 'in_progress',
  endpoint: '/v1/chat/completions',
  inputFileId: 'file-a',
  outputFileId: null,
  errorFileId: null,
  createdAt: NOW,
  inProgressAt: null,
  finalizingAt: null,
  expiresAt: NOW + 86_400,
  endedAt: null,
  counts: null,
  usage: null,
  metadata: null,
  problems: [],
  ...changes,
});
