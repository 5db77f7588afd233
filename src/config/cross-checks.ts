import { isHeaderName } from '../contract/http-header.ts';
import { isLoopback } from '../contract/loopback.ts';
import { batchProblems } from './batch-checks.ts';
import { headerSourceProblems } from './header-values.ts';
import { isPublicHost, plainHost } from './http-hosts.ts';
import { ownAddressOf } from './presets.ts';
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

/** Form fields of an upload that are ours to set. */
const ownFields: ReadonlySet<string> = new Set(['purpose', 'file', 'filename']);

/** OpenAI documents 1,000 uploads a minute a user. */
const mostUploadsPerMinuteAtOpenAi = 999;

/**
 * What no single key can tell: rules between keys, and the meaning of texts. `baseUrlGiven`: it is not just the
 * default.
 */
export function crossChecks(config: ConfigFile, baseUrlGiven: boolean): readonly Problem[] {
  return [
    ...presetProblems(config.api, baseUrlGiven),
    ...baseUrlProblems(config.api),
    ...allowHttpProblems(config.api.allowHttp),
    ...rateProblems(config),
    ...headerNameProblems(config.api.headers),
    ...headerSourceProblems(config.api.headers),
    ...uploadFieldProblems(config.api),
    ...expiryProblems(config),
    ...batchProblems(config),
  ];
}

/** Without this the key of another server would go to the default one. */
function presetProblems({ preset }: ConfigFile['api'], baseUrlGiven: boolean): readonly Problem[] {
  const example = ownAddressOf(preset);
  if (example === null || baseUrlGiven) return [];
  const message = `the preset "${preset}" needs api.baseUrl, which only you know, such as "${example}"`;
  return [{ path: ['api', 'preset'], message }];
}

function baseUrlProblems({ baseUrl, allowHttp }: ConfigFile['api']): readonly Problem[] {
  const path = ['api', 'baseUrl'];
  const url = URL.parse(baseUrl);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    return [{ path, message: 'expected an https URL such as "https://api.openai.com/v1"' }];
  }
  if (url.protocol === 'http:' && !isLoopback(baseUrl) && !mayUseHttp(url.hostname, allowHttp)) {
    const host = plainHost(url.hostname);
    const wayOut = isPublicHost(host)
      ? 'use https, or the address of a host in your own network'
      : `use https; if ${host} is in a network that you trust, set api.allowHttp to [${JSON.stringify(host)}]`;
    return [{ path, message: `plain http to ${host} would send the key unencrypted; ${wayOut}` }];
  }
  if (url.username === '' && url.password === '') return [];
  const message = 'no user or password in the URL; the key belongs into OPENAI_API_KEY or api.apiKeyFile';
  return [{ path, message }];
}

function mayUseHttp(host: string, allowHttp: readonly string[]): boolean {
  return !isPublicHost(host) && allowHttp.some((allowed) => plainHost(allowed) === plainHost(host));
}

function allowHttpProblems(allowHttp: readonly string[]): readonly Problem[] {
  return allowHttp.flatMap((host, index) => {
    const path = ['api', 'allowHttp', index];
    const name = plainHost(host);
    // What a URL takes for something else than one host's name is none: a port, a path, a pattern.
    const url = URL.parse(`http://${name.includes(':') ? `[${name}]` : name}`);
    if (url === null || plainHost(url.hostname) !== name || !/^[\w.:-]+$/.test(name))
      return [{ path, message: `expected the name or address of one host, got ${JSON.stringify(host)}` }];
    if (!isPublicHost(name)) return [];
    const message = `${name} is a public name: plain http to it would send the key unencrypted over the internet; use https`;
    return [{ path, message }];
  });
}

function rateProblems(config: ConfigFile): readonly Problem[] {
  const { uploadsPerMinute } = config.limits;
  if (URL.parse(config.api.baseUrl)?.hostname !== 'api.openai.com') return [];
  if (uploadsPerMinute !== null && uploadsPerMinute <= mostUploadsPerMinuteAtOpenAi) return [];
  const message = `expected at most ${mostUploadsPerMinuteAtOpenAi} for api.openai.com, got ${uploadsPerMinute}`;
  return [{ path: ['limits', 'uploadsPerMinute'], message }];
}

function headerNameProblems(headers: ConfigFile['api']['headers']): readonly Problem[] {
  return Object.keys(headers).flatMap((name) => {
    const path = ['api', 'headers', name];
    if (!isHeaderName(name)) return [{ path, message: 'not a header name' }];
    const reserved = ownHeaders.get(name.toLowerCase());
    return reserved === undefined ? [] : [{ path, message: `not here: ${reserved}` }];
  });
}

function uploadFieldProblems({ uploadFields, expiry }: ConfigFile['api']): readonly Problem[] {
  const expiryProblem = fieldNameProblem(['api', 'expiry', 'field'], expiry.field);
  const problems = Object.keys(uploadFields).flatMap((name) => {
    const path = ['api', 'uploadFields', name];
    const problem = fieldNameProblem(path, name);
    if (problem !== null) return [problem];
    if (name === expiry.field || name.startsWith(`${expiry.field}[`))
      return [{ path, message: 'not here: set folders.NAME.expiresAfterSeconds' }];
    return [];
  });
  return expiryProblem === null ? problems : [expiryProblem, ...problems];
}

function fieldNameProblem(path: readonly string[], name: string): Problem | null {
  // What could end the quoted name, or the line that it stands in.
  if (name === '' || /["\u0000-\u001f\u007f]/.test(name))
    return { path, message: 'not a name of a form field' };
  return ownFields.has(name) ? { path, message: 'not here: files-mirror sets this field itself' } : null;
}

function expiryProblems({ api: { expiry }, folders }: ConfigFile): readonly Problem[] {
  const { minSeconds, maxSeconds, form } = expiry;
  if (minSeconds > maxSeconds) {
    const message = `expected at most api.expiry.maxSeconds (${maxSeconds}), got ${minSeconds}`;
    return [{ path: ['api', 'expiry', 'minSeconds'], message }];
  }
  return Object.entries(folders).flatMap(([name, folder]) => {
    const asked = folder === false ? null : (folder.expiresAfterSeconds ?? null);
    const path = ['folders', name, 'expiresAfterSeconds'];
    if (asked === null) return [];
    if (form === 'none')
      return [{ path, message: 'this server cannot expire files (api.expiry.form is "none"); set null' }];
    const seconds = Math.round(asked);
    if (seconds >= minSeconds && seconds <= maxSeconds) return [];
    const bounds = `a number from ${minSeconds} to ${maxSeconds} or null`;
    return [{ path, message: `expected ${bounds} (api.expiry), got ${asked}` }];
  });
}
