/** Where the API is, taken apart once. */
export interface ApiAddress {
  readonly origin: string;
  readonly host: string;
  /**
   * The request target for a path below the base URL, e.g. `/files`. The base URL's own query (Azure's
   * `api-version`) is part of every request; a parameter of the same name given here wins.
   */
  target(path: string, query?: Readonly<Record<string, string>>): string;
  /** Values of the base URL's query that look like credentials. */
  readonly secrets: readonly string[];
}

/** Names of headers and query parameters whose values must never be shown. */
export const SECRET_NAME = /key|token|secret|auth|cookie|password|sig/i;

/** Throws `TypeError` when this is no http or https URL. */
export function parseBaseUrl(baseUrl: string): ApiAddress {
  const url = new URL(baseUrl);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new TypeError(`not an http or https URL: ${url.protocol}//${url.host}`);
  }
  const basePath = url.pathname.replace(/\/+$/, '');
  const baseQuery = [...url.searchParams];
  return {
    origin: url.origin,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    target(path, query = {}) {
      const parameters = new URLSearchParams(baseQuery);
      for (const [name, value] of Object.entries(query)) parameters.set(name, value);
      const text = parameters.toString();
      return text === '' ? basePath + path : `${basePath}${path}?${text}`;
    },
    secrets: baseQuery.filter(([name]) => SECRET_NAME.test(name)).map(([, value]) => value),
  };
}
