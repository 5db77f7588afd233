import type { Problem } from './problems.ts';
import type { ConfigFile } from './schema.ts';

/** Headers that are ours to set: the key has places of its own, and the rest frames the request. */
const ownHeaders: ReadonlyMap<string, string> = new Map([
  ['authorization', 'the key belongs into OPENAI_API_KEY or api.apiKeyFile'],
  ['api-key', 'the key belongs into OPENAI_API_KEY or api.apiKeyFile, with api.auth "api-key"'],
  ...['content-length', 'content-type', 'transfer-encoding', 'connection', 'host', 'expect'].map(
    (name): [string, string] => [name, 'files-mirror sets this header itself'],
  ),
]);

/** OpenAI documents 1,000 uploads a minute a user. */
const mostUploadsPerMinuteAtOpenAi = 999;

/** What no single key can tell: rules between keys, and the meaning of texts. */
export function crossChecks(config: ConfigFile): readonly Problem[] {
  return [
    ...baseUrlProblems(config.api.baseUrl),
    ...rateProblems(config),
    ...headerProblems(config.api.headers),
  ];
}

/** True for the machine itself, where neither encryption nor a key is needed. */
export function isLoopback(baseUrl: string): boolean {
  const { hostname } = new URL(baseUrl);
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(?:\.\d+){3}$/.test(hostname)
  );
}

function baseUrlProblems(baseUrl: string): readonly Problem[] {
  const path = ['api', 'baseUrl'];
  const url = URL.parse(baseUrl);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    return [{ path, message: 'expected an https URL such as "https://api.openai.com/v1"' }];
  }
  if (url.protocol === 'http:' && !isLoopback(baseUrl)) {
    return [{ path, message: `plain http to ${url.hostname} would send the key unencrypted; use https` }];
  }
  if (url.username !== '' || url.password !== '') {
    return [
      {
        path,
        message: 'no user or password in the URL; the key belongs into OPENAI_API_KEY or api.apiKeyFile',
      },
    ];
  }
  return [];
}

function rateProblems(config: ConfigFile): readonly Problem[] {
  const { uploadsPerMinute } = config.limits;
  if (URL.parse(config.api.baseUrl)?.hostname !== 'api.openai.com') return [];
  if (uploadsPerMinute !== null && uploadsPerMinute <= mostUploadsPerMinuteAtOpenAi) return [];
  return [
    {
      path: ['limits', 'uploadsPerMinute'],
      message: `expected at most ${mostUploadsPerMinuteAtOpenAi} for api.openai.com, got ${uploadsPerMinute}`,
    },
  ];
}

function headerProblems(headers: Readonly<Record<string, string>>): readonly Problem[] {
  return Object.entries(headers).flatMap(([name, value]) => {
    const path = ['api', 'headers', name];
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) return [{ path, message: 'not a header name' }];
    const reserved = ownHeaders.get(name.toLowerCase());
    if (reserved !== undefined) return [{ path, message: `not here: ${reserved}` }];
    if (/[^\t\u0020-\u007e\u0080-\u00ff]/.test(value))
      return [{ path, message: 'a header value has no line breaks and no special characters' }];
    return [];
  });
}
