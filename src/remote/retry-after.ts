/** Reply headers as undici gives them: lower-case names. */
export type ReplyHeaders = Readonly<Record<string, string | string[] | undefined>>;

/**
 * A server that asks for more than a day is asked again after a day. It also keeps the wait below 2^31 ms,
 * beyond which a timer would fire at once.
 */
export const MAX_RETRY_AFTER_MS = 24 * 3600 * 1000;

/** The first value of a header, null when it is absent. */
export function headerOf(headers: ReplyHeaders, name: string): string | null {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

/** Unix milliseconds of an HTTP date; null when it is none. */
export function parseHttpDateMs(text: string): number | null {
  // `Date.parse` accepts bare numbers as years; an HTTP date always starts with the name of a day.
  if (!/^\s*[A-Za-z]{3}/.test(text)) return null;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? null : ms;
}

/**
 * How long the server wants us to wait, in milliseconds; null when it does not say. Understands `retry-after-ms`,
 * and `retry-after` in seconds or as an HTTP date. A date is taken relative to the reply's own `Date`, so that
 * two clocks that differ do no harm; `nowMs` (unix milliseconds) stands in when the reply has none.
 */
export function parseRetryAfterMs(headers: ReplyHeaders, nowMs: number): number | null {
  const millis = decimal(headerOf(headers, 'retry-after-ms'));
  if (millis !== null) return measure(millis);
  const value = headerOf(headers, 'retry-after');
  if (value === null) return null;
  const seconds = decimal(value);
  if (seconds !== null) return measure(seconds * 1000);
  const untilMs = parseHttpDateMs(value);
  if (untilMs === null) return null;
  const serverNowMs = parseHttpDateMs(headerOf(headers, 'date') ?? '') ?? nowMs;
  return measure(untilMs - serverNowMs);
}

function decimal(text: string | null): number | null {
  return text !== null && /^\s*\d+(\.\d+)?\s*$/.test(text) ? Number(text) : null;
}

/** "At once" from a server that has just refused is no measure: who took it at its word would ask without end. */
function measure(ms: number): number | null {
  return ms > 0 ? Math.min(Math.ceil(ms), MAX_RETRY_AFTER_MS) : null;
}
