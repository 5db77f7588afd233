/** What a server said about a request that it did not accept. Raw: not yet fit for printing. */
import { isObject, jsonOrNull } from '../contract/json.ts';
export interface ServerError {
  readonly message: string;
  readonly type: string | null;
  readonly code: string | null;
  /** `json`: the API itself spoke. `html`: a web server or a proxy did. */
  readonly form: 'json' | 'html' | 'text' | 'empty';
}

/**
 * Reads an error body in the forms that servers use: `{"error":{"message","type","code"}}` (OpenAI),
 * `{"error":"…"}`, `{"message":"…"}`, `{"detail":…}` (FastAPI), an HTML page, or plain text.
 */
export function readServerError(body: string): ServerError {
  const text = body.trim();
  if (text === '') return { message: '', type: null, code: null, form: 'empty' };
  const json = jsonOrNull(text);
  if (isObject(json)) return { ...fromJson(json), form: 'json' };
  if (text.startsWith('<')) {
    const title = /<(title|h1)[^>]*>([^<]*)</i.exec(text)?.[2]?.trim() ?? '';
    return { message: title === '' ? 'an HTML page' : title, type: null, code: null, form: 'html' };
  }
  return { message: text, type: null, code: null, form: 'text' };
}

/** True when it says "no such address" rather than "no such thing". */
export function deniesAddress(error: ServerError): boolean {
  return error.form === 'html' || error.code === 'unknown_url' || /^Invalid URL\b/i.test(error.message);
}

const QUOTA_CODES: ReadonlySet<string> = new Set([
  'insufficient_quota',
  'insufficient_balance',
  'billing_hard_limit_reached',
  'billing_not_active',
]);

/** True when it says that the project has no credit, or no more of something. */
export function namesQuota({ code, type }: ServerError): boolean {
  return QUOTA_CODES.has(code ?? '') || QUOTA_CODES.has(type ?? '');
}

function fromJson(json: Record<string, unknown>): Omit<ServerError, 'form'> {
  const inner = json['error'];
  const source = isObject(inner) ? inner : json;
  const said = source['message'] ?? inner ?? json['detail'] ?? json;
  return {
    message: typeof said === 'string' ? said : JSON.stringify(said),
    type: word(source['type']),
    code: word(source['code']),
  };
}

function word(value: unknown): string | null {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : null;
}
