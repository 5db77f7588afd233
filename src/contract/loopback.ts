/** True for a host name, as URLs have it, of this machine itself, where neither encryption, a key nor a proxy is needed. */
export function isLoopbackHost(host: string): boolean {
  return /^(?:(?:.+\.)?localhost|\[?::1\]?|127(?:\.\d{1,3}){3})$/.test(host);
}

/** The same of a URL. */
export function isLoopback(url: string): boolean {
  return isLoopbackHost(new URL(url).hostname);
}
