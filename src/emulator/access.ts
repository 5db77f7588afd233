import type { IncomingHttpHeaders } from 'node:http';

import { incorrectKey, missingKey } from './api-error.ts';

/** Who may ask: whoever shows any key, anyone at all, or the holder of this key. */
export type Authorization = 'any' | 'none' | { readonly key: string };

/** The key that a request shows; null when there is none. With `apiKeyHeader` an `api-key` header will do. */
export function shownKey(headers: IncomingHttpHeaders, apiKeyHeader: boolean): string | null {
  const plain = apiKeyHeader ? headers['api-key'] : undefined;
  if (typeof plain === 'string' && plain !== '') return plain;
  return /^Bearer\s+(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1] ?? null;
}

/** Throws `ApiError` 401 when the key does not open the door. */
export function checkKey(key: string | null, authorization: Authorization): void {
  if (authorization === 'none') return;
  if (key === null) throw missingKey();
  if (authorization !== 'any' && key !== authorization.key) throw incorrectKey();
}
