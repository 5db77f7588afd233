/**
 * What a refusal of `/batches` means where it means something else than one of `/files`. None of it halts anything by
 * itself: a key that may not make batches may well upload, and an empty purse stores files as well as before.
 */
import type { BatchFaultRule } from '../contract/batch.ts';
import { deniesAddress, namesQuota } from './server-error.ts';
import type { ServerError } from './server-error.ts';
import { LANE_RETRY } from './verdict.ts';
import type { Verdict } from './verdict.ts';

/** `path`: below the base URL. */
export function isOfBatches(path: string): boolean {
  return path === '/batches' || path.startsWith('/batches/');
}

interface Refusal extends Verdict {
  readonly rule: BatchFaultRule;
  readonly says: (status: number, error: ServerError, isCreate: boolean) => boolean;
}

/** First match wins. */
const REFUSALS: readonly Refusal[] = [
  {
    ...LANE_RETRY,
    rule: 'batches-quota',
    says: (status, error) =>
      status === 402 || (status < 500 && (namesQuota(error) || BILLING_LIMIT.test(error.message))),
  },
  { ...LANE_RETRY, rule: 'batches-auth', says: (status) => status === 401 || status === 403 },
  {
    disposition: 'retry',
    rule: 'token-limit',
    says: (status, error) =>
      status < 500 && (error.code === 'token_limit_exceeded' || QUEUE_FULL.test(error.message)),
  },
  {
    disposition: 'retry',
    rule: 'no-such-file',
    says: (status, error, isCreate) =>
      isCreate && NOT_THERE.has(status) && !deniesAddress(error) && NO_SUCH_FILE.test(error.message),
  },
  {
    ...LANE_RETRY,
    rule: 'no-batches',
    says: (status) => status === 404 || status === 405 || status === 410 || status === 501,
  },
];

const BILLING_LIMIT = /\bbilling\b.*\b(limit|inactive|not active|reached)\b/i;
const QUEUE_FULL = /\benqueued token limit\b/i;

/** With which a server says that it knows no such file: of the file, or of the request that names it. */
const NOT_THERE: ReadonlySet<number> = new Set([400, 404, 410, 422]);
const NO_SUCH_FILE =
  /(no such|can(not|'t|not be) (find|locate)|could ?n[o']t (find|locate|be found)|unknown)\b.*\b(file|input_file_id)\b|\b(file|input_file_id)\b.*(not (be )?found|does(n't| not) exist|no longer exists)/i;

/** Null: it means what it means everywhere. */
export function judgeBatchRefusal(status: number, error: ServerError, action: string): Verdict | null {
  const found = REFUSALS.find(({ says }) => says(status, error, action === 'create'));
  if (found === undefined) return null;
  const { says: _says, ...verdict } = found;
  return verdict;
}
