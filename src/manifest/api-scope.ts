import { createHmac, randomBytes } from 'node:crypto';
import * as z from 'zod';

/** All that decides whose files an API shows, and how it is asked. In memory only: it holds the key. */
export interface ApiScope {
  /** The base URL with port, path and query; for the embedded emulator, which has no fixed port, its name. */
  readonly address: string;
  readonly organization: string | null;
  readonly project: string | null;
  /** More headers and form fields: at a gateway they may name the account or the provider. */
  readonly headers: Readonly<Record<string, string>>;
  readonly key: string | null;
  /** Everything else that the configuration says about how the API is asked. */
  readonly settings: unknown;
}

/** What of it tells whose files are shown, in the order in which it is named. */
const PARTS = ['address', 'organization', 'project', 'headers', 'key'] as const;

const WORDS: Readonly<Record<(typeof PARTS)[number], string>> = {
  address: 'the base URL',
  organization: 'the organization',
  project: 'the project',
  headers: 'the headers or form fields',
  key: 'the key',
};

/** Half of a SHA-256: enough to tell two apart, and nothing from which the value could be had. */
const fingerprint = z.string().regex(/^[0-9a-f]{32}$/);

/** Salted hashes only: `api.json` must not give a key away, nor tell whether two mirrors have the same one. */
export const fingerprintsSchema = z.strictObject({
  salt: fingerprint,
  /** The scope in which the recorded ids were last known; null: none yet. */
  ids: z.record(z.enum(PARTS), fingerprint).nullable(),
  /** How the API was asked when it refused what is recorded as refused; null: not known. */
  asked: fingerprint.nullable(),
});

export type Fingerprints = Readonly<z.infer<typeof fingerprintsSchema>>;

export function noFingerprints(): Fingerprints {
  return { salt: randomBytes(16).toString('hex'), ids: null, asked: null };
}

/** What is another than when the recorded ids were last known, in words; empty: nothing. */
export function changesSince({ salt, ids }: Fingerprints, scope: ApiScope): readonly string[] {
  if (ids === null) return ['the key, the project or the address (which were not noted then)'];
  return PARTS.filter((part) => ids[part] !== hashed(salt, part, scope[part])).map((part) => WORDS[part]);
}

/** True when nothing of it is another than when the API was asked last. */
export function isAskedAlike({ salt, asked }: Fingerprints, scope: ApiScope): boolean {
  return asked === hashed(salt, 'asked', scope);
}

/** The recorded ids are known in this scope. */
export function withIdsIn(known: Fingerprints, scope: ApiScope): Fingerprints {
  const ids = Object.fromEntries(PARTS.map((part) => [part, hashed(known.salt, part, scope[part])]));
  return { ...known, ids: ids as Fingerprints['ids'] };
}

/** What is recorded as refused from now on was refused when it was asked like this. */
export function withAsked(known: Fingerprints, scope: ApiScope): Fingerprints {
  return { ...known, asked: hashed(known.salt, 'asked', scope) };
}

/** `what` keeps two parts of equal value apart. */
function hashed(salt: string, what: string, value: unknown): string {
  const text = JSON.stringify([what, value], sortedKeys);
  return createHmac('sha256', salt).update(text).digest('hex').slice(0, 32);
}

/** The order in which a person writes them says nothing. */
function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
