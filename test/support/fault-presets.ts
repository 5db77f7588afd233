/** The answers of real servers that fail, as acts for `FaultInjector`. */
import type { FaultAct } from './fault-injection.ts';

type Respond = Extract<FaultAct, { kind: 'respond' }>;

function refusal(status: number, message: string, type: string, code: string | null): Respond {
  return { kind: 'respond', status, body: { error: { message, type, param: null, code } } };
}

/** When a 429 says that it will be over. */
type RetryHint =
  | { readonly seconds: number }
  | { readonly httpDate: Date }
  | { readonly milliseconds: number }
  | null;

function retryHeaders(hint: RetryHint): Record<string, string> {
  if (hint === null) return {};
  if ('seconds' in hint) return { 'retry-after': String(hint.seconds) };
  if ('httpDate' in hint) return { 'retry-after': hint.httpDate.toUTCString() };
  return { 'retry-after-ms': String(hint.milliseconds) };
}

export function rateLimited(hint: RetryHint): FaultAct {
  const reply = refusal(429, 'Rate limit reached for file uploads.', 'requests', 'rate_limit_exceeded');
  return { ...reply, headers: retryHeaders(hint) };
}

/** The 429 that no waiting cures: there is no credit left. */
export function insufficientQuota(): FaultAct {
  const message = 'You exceeded your current quota, please check your plan and billing details.';
  return refusal(429, message, 'insufficient_quota', 'insufficient_quota');
}

/** The storage is full, which comes as a 400. */
export function storageQuotaFull(): FaultAct {
  const message = 'You have exceeded your file storage quota. Delete old files, or contact us.';
  return refusal(400, message, 'invalid_request_error', null);
}

/** A refusal of the request itself. */
export function badRequest(message: string): FaultAct {
  return refusal(400, message, 'invalid_request_error', null);
}

export function unauthorized(): FaultAct {
  return refusal(401, 'Incorrect API key provided.', 'invalid_request_error', 'invalid_api_key');
}

export function forbidden(): FaultAct {
  const message = 'You have insufficient permissions for this operation. Missing scopes: api.files.write.';
  return refusal(403, message, 'invalid_request_error', null);
}

/** With `at: 'handled'` the server did store (or delete) before it failed. */
export function serverError(at: 'arrival' | 'body' | 'handled'): FaultAct {
  const message = 'The server had an error while processing your request. Sorry about that!';
  return { ...refusal(500, message, 'server_error', null), at };
}

/** A proxy in front of the API that got no answer from it. */
export function badGateway(at: 'arrival' | 'handled'): FaultAct {
  return html(502, '<html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>', at);
}

/** A captive portal or a wrong base URL: success, but not from the API. */
export function htmlWithSuccess(at: 'arrival' | 'handled'): FaultAct {
  return html(200, '<!doctype html><title>Welcome</title>', at);
}

function html(status: number, body: string, at: 'arrival' | 'handled'): FaultAct {
  return { kind: 'respond', at, status, headers: { 'content-type': 'text/html' }, body };
}

/** Every listing has these entries too, at the end of its pages, where a cursor is taken from. */
export function oddEntries(...entries: readonly unknown[]): FaultAct {
  return {
    kind: 'rewrite',
    patch: (reply) =>
      Array.isArray(reply['data']) ? { ...reply, data: [...reply['data'], ...entries] } : reply,
  };
}

/** The reply says less than was stored. */
export function dropReplyField(name: string): FaultAct {
  return {
    kind: 'rewrite',
    patch: (reply) => Object.fromEntries(Object.entries(reply).filter(([key]) => key !== name)),
  };
}

/** The reply says something else than was stored. */
export function falsifyReply(fields: Readonly<Record<string, unknown>>): FaultAct {
  return { kind: 'rewrite', patch: (reply) => ({ ...reply, ...fields }) };
}
