/** What a line of an output or error file says. Pure. */
import { isObject, jsonOrNull } from '../../contract/json.ts';
import { oneLine } from '../../contract/shown-text.ts';

/** How a line ended that has no answer. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  /** Another try may help. */
  readonly isRetryable: boolean;
}

export interface AnswerLine {
  readonly customId: string;
  /** Null: it was answered, whatever the answer says. */
  readonly failure: Failure | null;
}

/** In neither file. */
export const MISSING: Failure = {
  code: 'missing',
  message: 'the batch ended without an answer and without an error for this line',
  isRetryable: true,
};

type Fields = Readonly<Record<string, unknown>>;

/** Null: it is no line of results, or says not which request it belongs to. */
export function readAnswerLine(text: string): AnswerLine | null {
  const line = parsed(text);
  const customId = line?.['custom_id'];
  if (line === null || (typeof customId !== 'string' && typeof customId !== 'number')) return null;
  return { customId: String(customId), failure: failureOf(line) };
}

/**
 * An error comes in three shapes: `error` beside no response, `response.body.error` with a status, and a status of 0
 * with an empty body.
 */
function failureOf(line: Fields): Failure | null {
  const response = fieldsOf(line['response']);
  const status = statusOf(response?.['status_code'] ?? response?.['status']);
  const outer = errorOf(line['error']);
  if (outer !== null) return failure(outer, status);
  const inner = errorOf(fieldsOf(response?.['body'])?.['error']);
  if (status === null) return response !== null && inner === null ? null : failure(inner ?? NOTHING, null);
  if (status >= 200 && status < 300) return null;
  return failure(inner ?? NOTHING, status);
}

interface Said {
  readonly code: string;
  readonly message: string;
}

const NOTHING: Said = { code: '', message: '' };

/** Codes with which a line ended that was not, or not surely, tried. */
const RETRYABLE_CODE =
  /^(batch_expired|expired|(request_|server_)?time_?out(_error)?|(internal_)?server_error|internal_error|rate_limit(_exceeded|_error)?|service_unavailable|overloaded(_error)?)$/i;
const FINAL_CODE = /^(batch_)?cancell?ed$/i;

/** Of the statuses that a line may end with, those that another try may change. */
function isPassing(status: number): boolean {
  return status === 0 || status === 408 || status === 409 || status === 429 || status >= 500;
}

function failure({ code, message }: Said, status: number | null): Failure {
  const named = code !== '' ? code : status === null ? 'no-answer' : `status-${status}`;
  return {
    code: oneLine(named, 80),
    message: oneLine(message !== '' ? message : wordsOf(status)),
    isRetryable:
      (!FINAL_CODE.test(code) && (RETRYABLE_CODE.test(code) || isPassing(status ?? 400))) ||
      isSilent(code, message, status),
  };
}

/** Neither an answer nor an error: nothing speaks against another try. */
function isSilent(code: string, message: string, status: number | null): boolean {
  return code === '' && message === '' && status === null;
}

function wordsOf(status: number | null): string {
  return status === null ? 'neither an answer nor an error' : `status ${status}, and nothing more was said`;
}

/** Null: there is none. */
function errorOf(value: unknown): Said | null {
  if (typeof value === 'string' && value !== '') return { code: '', message: value };
  const fields = fieldsOf(value);
  if (fields === null || Object.keys(fields).length === 0) return null;
  return {
    code: wordOf(fields['code']) || wordOf(fields['type']),
    message: wordOf(fields['message']),
  };
}

function wordOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function statusOf(value: unknown): number | null {
  const status = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  return typeof status === 'number' && Number.isInteger(status) ? status : null;
}

function parsed(text: string): Fields | null {
  return fieldsOf(jsonOrNull(text));
}

function fieldsOf(value: unknown): Fields | null {
  return isObject(value) ? value : null;
}

/** The line that stands for a missing one, in the shape of the API's own. */
export function missingLine(customId: string): string {
  const { code, message } = MISSING;
  return JSON.stringify({ id: null, custom_id: customId, response: null, error: { code, message } });
}
