import { EnvHttpProxyAgent, Pool } from 'undici';
import type { Dispatcher } from 'undici';
import { isLoopback } from './base-url.ts';
import type { ApiAddress } from './base-url.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/** The environment's proxy settings, as curl and Node know them. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * The connections to the API: one request at a time on each, as many as there are requests at once (the queue
 * limits those). A request is never sent a second time by itself: undici leaves that to interceptors, and none is
 * used. HTTP/2 is off: sharing one connection would let one slow upload hold up the others.
 */
export function openConnections(address: ApiAddress, env: ProxyEnvironment): Dispatcher {
  const options = { pipelining: 1, allowH2: false, connectTimeout: CONNECT_TIMEOUT_MS };
  const httpProxy = env['http_proxy'] ?? env['HTTP_PROXY'] ?? '';
  const httpsProxy = env['https_proxy'] ?? env['HTTPS_PROXY'] ?? '';
  const direct = isLoopback(address.host) || (httpProxy === '' && httpsProxy === '');
  if (direct) return new Pool(address.origin, options);
  return new EnvHttpProxyAgent({
    ...options,
    httpProxy,
    httpsProxy,
    noProxy: env['no_proxy'] ?? env['NO_PROXY'] ?? '',
  });
}
