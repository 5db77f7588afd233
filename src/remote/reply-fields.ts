/**
 * Single fields of what the API sends, read loosely: each by itself, and null, or a reason, where it cannot be read.
 */

/** A JSON object, as far as it is one. */
export type Fields = Readonly<Record<string, unknown>>;

/** A reading that names what stood in its way. */
export type Reading<T> = { readonly value: T } | { readonly problem: string };

/** The value of a JSON text, with or without a byte order mark. */
export function parseJson(text: string): Reading<unknown> {
  const json = text.startsWith('\ufeff') ? text.slice(1) : text;
  if (json.trim() === '') return { problem: 'it is empty' };
  try {
    return { value: JSON.parse(json) };
  } catch {
    return { problem: 'it is no JSON' };
  }
}

export function fieldsOf(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

/**
 * An id is opaque: of any length and alphabet. It must be able to stand in a URL, where `.` and `..` would be steps
 * and half a surrogate pair is nothing, and to be the key of an object.
 */
export function readId(object: Fields): Reading<string> {
  const name = 'id' in object || !('file_id' in object) ? 'id' : 'file_id';
  const raw = object[name];
  const id = typeof raw === 'number' && Number.isSafeInteger(raw) ? String(raw) : raw;
  if (typeof id !== 'string') return { problem: `"${name}" is ${kindOf(id)}` };
  if (id === '') return { problem: `"${name}" is empty` };
  if (id === '.' || id === '..' || id === '__proto__' || !id.isWellFormed()) {
    return { problem: `"${name}" cannot be part of a URL` };
  }
  return { value: id };
}

export function readFlag(value: unknown): boolean | null {
  if (typeof value === 'boolean') return value;
  return value === 'true' ? true : value === 'false' ? false : null;
}

export function readText(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

export function readSize(value: unknown): number | null {
  const size = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  return typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : null;
}

/** Unix times beyond this, in the year 5138, are milliseconds. */
const LAST_UNIX_SECOND = 1e11;

/** Unix seconds from a number or a text of one, with or without a fraction, or from an ISO time. */
export function readTime(value: unknown): number | null {
  const number = typeof value === 'string' ? timeOfText(value.trim()) : value;
  if (typeof number !== 'number' || !Number.isFinite(number)) return null;
  return Math.floor(number > LAST_UNIX_SECOND ? number / 1000 : number);
}

function timeOfText(text: string): number {
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (!/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}|$)/.test(text)) return Number.NaN;
  // Without a zone it is UTC, as servers mean it; `Date.parse` would take it for local time.
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/i.test(text) || text.length === 10 ? text : `${text}Z`;
  return Date.parse(zoned.replace(' ', 'T')) / 1000;
}

export function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
