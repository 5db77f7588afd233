import { isLoopbackHost } from '../contract/loopback.ts';
import type { ApiAddress } from './base-url.ts';

/** The environment's proxy settings, as curl and Node know them. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/** Empty: no proxy. */
export interface Proxies {
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
}

/** Null: straight to the server. Throws `TypeError` when a proxy's URL cannot be used. */
export function proxiesFor(address: ApiAddress, env: ProxyEnvironment): Proxies | null {
  const httpProxy = env['http_proxy'] ?? env['HTTP_PROXY'] ?? '';
  const httpsProxy = env['https_proxy'] ?? env['HTTPS_PROXY'] ?? '';
  if (isLoopbackHost(address.host) || (httpProxy === '' && httpsProxy === '')) return null;
  for (const url of [httpProxy, httpsProxy]) {
    // Not named in full: it may hold a password.
    if (url !== '' && !URL.canParse(url))
      throw new TypeError('the URL in HTTP_PROXY or HTTPS_PROXY is not valid');
  }
  return { httpProxy, httpsProxy, noProxy: env['no_proxy'] ?? env['NO_PROXY'] ?? '' };
}
