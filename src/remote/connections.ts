import { EnvHttpProxyAgent, Pool } from 'undici';
import type { Dispatcher } from 'undici';
import type { ApiAddress } from './base-url.ts';
import type { Proxies } from './proxies.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * The connections to the API: one request at a time on each, as many as there are requests at once (the queue
 * limits those). A request is never sent a second time by itself: undici leaves that to interceptors, and none is
 * used. HTTP/2 is off: sharing one connection would let one slow upload hold up the others.
 */
export function openConnections(address: ApiAddress, proxies: Proxies | null): Dispatcher {
  const options = { pipelining: 1, allowH2: false, connectTimeout: CONNECT_TIMEOUT_MS };
  if (proxies === null) return new Pool(address.origin, options);
  return new EnvHttpProxyAgent({ ...options, ...proxies });
}
