/**
 * From what went wrong on the wire to what the engine shall do about it. Pure: values in, a `Fault` out.
 */
import { Fault } from '../contract/faults.ts';
import type { Outcome } from '../contract/faults.ts';
import { oneLine, redactor } from '../contract/shown-text.ts';

import { isOfBatches, judgeBatchRefusal } from './batch-refusals.ts';
import { headerOf, parseRetryAfterMs } from './retry-after.ts';
import type { ReplyHeaders } from './retry-after.ts';
import { deniesAddress, namesQuota, readServerError } from './server-error.ts';
import type { ServerError } from './server-error.ts';
import { LANE_RETRY } from './verdict.ts';
import type { Verdict } from './verdict.ts';

/**
 * How far a request had come. `connecting`: nothing was sent. `sending`: something, but less than the
 * `Content-Length` promised. `sent`: the last byte was handed to the socket, so the server may have acted.
 */
export type Progress = 'connecting' | 'sending' | 'sent';

/** What is known about the request that failed. */
export interface RequestContext {
  /** `create`: a batch; `cancel`: its end. */
  readonly action: 'upload' | 'read' | 'delete' | 'create' | 'cancel';
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below the base URL and without the query, e.g. `/files`. */
  readonly path: string;
  readonly progress: Progress;
  /** Never to appear in a message. */
  readonly secrets: readonly string[];
  /** The name of the uploaded file, which a server may quote; null for other requests. */
  readonly remoteName: string | null;
}

export interface ReplyFacts {
  readonly status: number;
  readonly headers: ReplyHeaders;
  readonly body: string;
  /** Why the body cannot be read, naming the header; absent or null: it can. */
  readonly problem?: string | null | undefined;
}

/** An error of the transport, reduced to what the judgement needs. */
export interface Break {
  /** Node's, OpenSSL's or undici's error code, e.g. `ECONNRESET`; empty when there is none. */
  readonly code: string;
  readonly message: string;
}

/** Judges a reply whose status is not the one that was hoped for. `nowMs`: unix milliseconds. */
export function classifyReply(reply: ReplyFacts, context: RequestContext, nowMs: number): Fault {
  const error = readServerError(reply.body);
  const retryAfterMs = parseRetryAfterMs(reply.headers, nowMs);
  const requestId = requestIdOf(reply.headers);
  const verdict = judgeReply(reply.status, error, context, retryAfterMs !== null);
  return new Fault(replyMessage(reply, error, context, requestId), {
    ...verdict,
    outcome: leavesOpen(reply.status, verdict, context) ? perhaps(context) : 'refused',
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
    status: reply.status,
    ...(requestId === null ? {} : { requestId }),
  });
}

/** Judges a request that got no complete reply. */
export function classifyBreak(problem: Break, context: RequestContext, cause?: unknown): Fault {
  const { words, ...verdict } = judgeBreak(problem, context.progress);
  const detail = quoted(problem.message, context);
  const named = problem.code === '' || detail.includes(problem.code) ? detail : `${problem.code}: ${detail}`;
  return new Fault(`${lineOf(context)}: ${words} (${named})`, {
    ...verdict,
    outcome: perhaps(context),
    cause,
  });
}

const MAX_SAMPLE_CHARS = 120;

/** Judges a reply with a good status whose content is not what the API sends: perhaps done, but what? */
export function badReply(what: string, reply: ReplyFacts, context: RequestContext): Fault {
  const requestId = requestIdOf(reply.headers);
  const sample = quoted(reply.body, context, MAX_SAMPLE_CHARS);
  const shown = sample === '' ? (reply.problem ?? 'an empty body') : sample;
  return new Fault(
    `${lineOf(context)}: ${reply.status}, but ${what}: ${shown}${requestNote(requestId, context)}`,
    {
      disposition: 'retry',
      outcome: context.action === 'read' ? 'refused' : 'unknown',
      rule: 'bad-reply',
      status: reply.status,
      ...(requestId === null ? {} : { requestId }),
    },
  );
}

/** The code and words of any error, from wherever in the chain they are. */
export function describeBreak(error: unknown): Break {
  if (!(error instanceof Error)) return { code: '', message: String(error) };
  const inner = error instanceof AggregateError ? (error.errors as unknown[]).map(describeBreak) : [];
  // QUIRK: undici's parser often leaves the code of its error out.
  const fallback = error.name === 'HTTPParserError' ? 'HPE_INVALID' : '';
  const code = (error as NodeJS.ErrnoException).code ?? inner[0]?.code ?? fallback;
  const message = error.message === '' ? inner.map((one) => one.message).join('; ') : error.message;
  return { code, message: message === '' ? error.name : message };
}

/**
 * True for a 404 that says "no such file". One that says "no such address" must not be taken for it, or files that
 * exist would be forgotten: a page of HTML from a web server or a proxy, or OpenAI's `Invalid URL (…)`.
 */
export function isAbsence(reply: ReplyFacts): boolean {
  return reply.status === 404 && !deniesAddress(readServerError(reply.body));
}

function judgeReply(status: number, error: ServerError, context: RequestContext, saysWhen: boolean): Verdict {
  if (status < 400) return { ...LANE_RETRY, rule: 'redirect' };
  const ofBatches = isOfBatches(context.path) ? judgeBatchRefusal(status, error, context.action) : null;
  if (ofBatches !== null) return ofBatches;
  if (status === 401) return { disposition: 'halt', halt: 'auth', rule: 'auth' };
  if (isQuota(status, error, context)) return { disposition: 'halt', halt: 'quota', rule: 'quota' };
  if (status === 403) return { disposition: 'halt', halt: 'auth', rule: 'auth' };
  if (status === 429) return { ...LANE_RETRY, rule: 'rate-limit' };
  // A wrong base URL answers every file alike. It must not reject a single one of them durably, and it is no
  // matter of the key either: wait, say so, and probe.
  if (isWrongUrl(status, error, context)) return { ...LANE_RETRY, rule: 'wrong-url' };
  if (status === 407) return { ...LANE_RETRY, rule: 'proxy' };
  if (status === 503 && saysWhen) return { ...LANE_RETRY, rule: 'server-503' };
  // A refusal says something about the file only when a file was sent; any other request is simply repeated.
  const passes = status >= 500 || PASSING_STATUSES.has(status) || !sends(context);
  return { disposition: passes ? 'retry' : 'skip', rule: `server-${status}` };
}

function sends({ action }: RequestContext): boolean {
  return action === 'upload' || action === 'create';
}

/** Request timeout, conflict, misdirected request, too early, client gone: the same request may succeed later. */
const PASSING_STATUSES: ReadonlySet<number> = new Set([408, 409, 421, 425, 499]);

/**
 * Whether a server that answers so may have stored the body that it took: it, or something on the way, gave up on
 * itself (5xx), on the time (408, 499), or found that the same was going on already (409). A 4xx that names the quota
 * is a plain no, and so is a conflict over a delete: that file is in use. A batch costs money: there a redirect is no
 * plain no either.
 */
function leavesOpen(status: number, { halt }: Verdict, context: RequestContext): boolean {
  if (status >= 500) return true;
  if (halt === 'quota') return false;
  if (status < 400) return context.action === 'create';
  return status === 408 || status === 499 || (status === 409 && sends(context));
}

function isWrongUrl(status: number, error: ServerError, context: RequestContext): boolean {
  if (status !== 404 && status !== 405 && status !== 410) return false;
  return context.path === '/files' || context.path === '/batches' || deniesAddress(error);
}

/** Statuses with which servers say that the project's storage is full; the text decides. */
const QUOTA_TEXT_STATUSES: ReadonlySet<number> = new Set([400, 403, 409, 413, 422]);

function isQuota(status: number, error: ServerError, context: RequestContext): boolean {
  if (status === 402 || status === 507) return true;
  if (status < 500 && namesQuota(error)) return true;
  if (context.action !== 'upload' || !QUOTA_TEXT_STATUSES.has(status)) return false;
  // What the server quotes is ours, not its own word: `storage-limit.jsonl` is no quota.
  const own = context.remoteName === null ? error.message : error.message.replaceAll(context.remoteName, '');
  const text = own.replace(/"[^"]*"|`[^`]*`/g, '');
  return (
    /\b(quota|storage|disk space|number of files)\b/i.test(text) &&
    /\b(exceed\w*|limit|full|reached|insufficient|maximum|out of|not enough|no more)\b/i.test(text)
  );
}

interface BreakRule extends Verdict {
  readonly code: RegExp;
  readonly words: string;
}

/** First match wins. */
const BREAK_RULES: readonly BreakRule[] = [
  { ...LANE_RETRY, rule: 'dns', code: /^(ENOTFOUND|EAI_)/, words: 'the host name could not be resolved' },
  {
    ...LANE_RETRY,
    rule: 'proxy',
    code: /^UND_ERR_(PRX_|SOCKS5|PROXY_)/,
    words: 'the proxy did not let the request through',
  },
  {
    ...LANE_RETRY,
    rule: 'tls',
    code: /^(CERT_|CRL_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|EPROTO)/,
    words: 'no trusted TLS connection',
  },
  { ...LANE_RETRY, rule: 'timeout', code: /^UND_ERR_CONNECT_TIMEOUT$/, words: 'no connection in time' },
  {
    disposition: 'retry',
    rule: 'timeout',
    code: /^(UND_ERR_(HEADERS|BODY)_TIMEOUT|ATTEMPT_TIMEOUT)$/,
    words: 'no complete answer in time',
  },
  {
    disposition: 'retry',
    rule: 'bad-reply',
    code: /^(HPE_|UND_ERR_(RES_|HEADERS_OVERFLOW))/,
    words: 'the reply was broken',
  },
];

const BREAK_WORDS: Readonly<Record<Progress, string>> = {
  connecting: 'no connection',
  sending: 'the connection broke before the request was complete',
  sent: 'the connection broke before the reply was complete',
};

function judgeBreak(problem: Break, progress: Progress): Verdict & { readonly words: string } {
  // QUIRK: undici reports a proxy's refusal of a tunnel as an aborted request, and its 407 as an invalid argument.
  const code =
    /\bproxy\b/i.test(problem.message) && /^UND_ERR_(ABORTED|INVALID_ARG)$/.test(problem.code)
      ? 'UND_ERR_PROXY_REFUSED'
      : problem.code;
  const found = BREAK_RULES.find((rule) => rule.code.test(code));
  if (found !== undefined) {
    const { code: _code, ...verdict } = found;
    return verdict;
  }
  // A server that cannot be reached is so for all; a connection that broke may be about this one request.
  const scope = progress === 'connecting' ? 'lane' : 'file';
  return { disposition: 'retry', rule: 'network', scope, words: BREAK_WORDS[progress] };
}

/** What a failure without a clear answer left behind. A body shorter than its `Content-Length` stores nothing. */
function perhaps(context: RequestContext): Outcome {
  if (context.action === 'create') return context.progress === 'connecting' ? 'refused' : 'unknown';
  return context.action !== 'read' && context.progress === 'sent' ? 'unknown' : 'refused';
}

function replyMessage(
  reply: ReplyFacts,
  error: ServerError,
  context: RequestContext,
  requestId: string | null,
): string {
  const kind = error.code ?? error.type;
  const parts = [`${lineOf(context)}: ${reply.status}`];
  if (kind !== null) parts.push(` ${quoted(kind, context)}`);
  if (reply.status < 400) parts.push(`: redirects are not followed (to ${redirectTarget(reply, context)})`);
  else if (error.message !== '') parts.push(`: ${quoted(error.message, context)}`);
  else if (typeof reply.problem === 'string') parts.push(`: ${reply.problem}`);
  if (isWrongUrl(reply.status, error, context)) parts.push(' (is the base URL right?)');
  parts.push(requestNote(requestId, context));
  return parts.join('');
}

function lineOf(context: RequestContext): string {
  return `${context.method} ${context.path}`;
}

function requestNote(requestId: string | null, context: RequestContext): string {
  return requestId === null ? '' : ` (request id ${quoted(requestId, context)})`;
}

/** Without its query, which may hold a signature. */
function redirectTarget(reply: ReplyFacts, context: RequestContext): string {
  const location = headerOf(reply.headers, 'location') ?? 'nowhere';
  return quoted(location.replace(/[?#].*$/s, ''), context);
}

function requestIdOf(headers: ReplyHeaders): string | null {
  const id =
    headerOf(headers, 'x-request-id') ??
    headerOf(headers, 'apim-request-id') ??
    headerOf(headers, 'request-id');
  return id === null || id === '' ? null : quoted(id, { secrets: [] });
}

/** What a server said, on one line and without secrets. They are taken out first: half of one is not recognised. */
function quoted(text: string, { secrets }: Pick<RequestContext, 'secrets'>, maxChars?: number): string {
  return oneLine(redactor(secrets)(text), maxChars);
}
