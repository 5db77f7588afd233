import { isHeaderName, isHeaderValue } from '../contract/http-header.ts';
import { Fault } from '../contract/faults.ts';
import { SECRET_NAME } from './base-url.ts';

export interface HeaderOptions {
  /** Null: the server wants none. A function is asked before every request, so that a key can be exchanged. */
  readonly apiKey: string | null | (() => string | null);
  /** How the key is sent: `Authorization: Bearer <key>`, or Azure's `api-key: <key>`. */
  readonly auth: 'bearer' | 'api-key';
  /** Sent with every request; they win over ours. With `authorization` or `api-key` here, no key is added. */
  readonly headers: Readonly<Record<string, string>>;
  /** Values among the headers that no message may show, whatever their names. */
  readonly secrets: readonly string[];
  readonly organization: string | null;
  readonly project: string | null;
  /** E.g. `files-mirror/1.2.3`. */
  readonly userAgent: string;
}

export interface RequestHeaders {
  /** Names and values in turn, with the key as it is now, and `extra` behind. Throws `Fault` when the key cannot be sent. */
  make(extra: readonly string[]): string[];
  /** Values that no message may show. */
  secrets(): readonly string[];
}

/** Throws `TypeError` when a configured header is none. The values never appear in an error. */
export function requestHeaders(options: HeaderOptions): RequestHeaders {
  const own = new Map([
    ['accept', 'application/json'],
    ['accept-encoding', 'identity'],
    ['user-agent', options.userAgent],
  ]);
  if (options.organization !== null) own.set('openai-organization', options.organization);
  if (options.project !== null) own.set('openai-project', options.project);
  for (const [name, value] of Object.entries(options.headers)) own.set(name.toLowerCase(), value);
  for (const [name, value] of own) {
    assertSendable(name, value);
  }
  const fixed = [...own].flat();
  const named = [...own].filter(([name]) => SECRET_NAME.test(name)).map(([, value]) => value);
  const fixedSecrets = [...new Set([...named, ...options.secrets])];
  const ownKey = own.has('authorization') || own.has('api-key');
  const currentKey = (): string | null =>
    typeof options.apiKey === 'function' ? options.apiKey() : options.apiKey;
  return {
    make(extra) {
      const key = ownKey ? null : currentKey();
      if (key === null) return [...fixed, ...extra];
      if (!isHeaderValue(key)) throw unsendableKey();
      const credential = options.auth === 'bearer' ? ['authorization', `Bearer ${key}`] : ['api-key', key];
      return [...credential, ...fixed, ...extra];
    },
    secrets() {
      const key = currentKey();
      return key === null ? fixedSecrets : [key, ...fixedSecrets];
    },
  };
}

/** Throws `TypeError` when this is no header. The value never appears in it. */
export function assertSendable(name: string, value: string): void {
  if (isHeaderName(name) && isHeaderValue(value)) return;
  throw new TypeError(`not a header that can be sent: ${JSON.stringify(name)}`);
}

function unsendableKey(): Fault {
  return new Fault('the API key holds characters that cannot be sent in a header', {
    disposition: 'halt',
    halt: 'auth',
    outcome: 'refused',
    rule: 'auth',
  });
}
