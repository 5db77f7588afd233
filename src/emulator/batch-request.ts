/** The body of `POST /batches`, judged by the rules of the server. */
import { ApiError, missingParameter } from './api-error.ts';
import type { BatchRules } from './batch-rules.ts';
import { hoursOf } from './batch-timeline.ts';
import { boundedInteger } from './bounded-integer.ts';

const BODY_LIMIT_BYTES = 1024 * 1024;
const METADATA = { keys: 16, keyLength: 64, valueLength: 512 };
const FIELDS = ['input_file_id', 'endpoint', 'completion_window', 'metadata', 'output_expires_after'];

type Fields = Readonly<Record<string, unknown>>;

export interface BatchRequest {
  readonly inputFileId: string;
  readonly endpoint: string;
  readonly completionWindow: string;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly outputExpiresAfterSeconds: number | null;
}

export async function readJsonBody(body: AsyncIterable<Buffer>): Promise<Fields> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > BODY_LIMIT_BYTES) throw new ApiError(413, 'The request is too large.');
    chunks.push(chunk);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (isObject(value)) return value;
  } catch {
    // Said below.
  }
  throw new ApiError(400, 'We could not parse the JSON body of your request. The API expects a JSON object.');
}

/** Throws `ApiError` for the first rule that it breaks. */
export function judgeBatchRequest(fields: Fields, rules: BatchRules): BatchRequest {
  const unknown = Object.keys(fields).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined && rules.unknownFields === 'refused') {
    throw new ApiError(400, `Unknown parameter: '${unknown}'.`, {
      param: unknown,
      code: 'unknown_parameter',
    });
  }
  const inputFileId = requiredText('input_file_id', fields);
  const endpoint = requiredText('endpoint', fields);
  if (!rules.endpoints.includes(endpoint)) throw wrongValue('endpoint', endpoint, rules.endpoints);
  return {
    inputFileId,
    endpoint,
    completionWindow: completionWindow(requiredText('completion_window', fields), rules),
    metadata: metadata(fields['metadata']),
    outputExpiresAfterSeconds: outputExpiry(fields['output_expires_after'], rules),
  };
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function requiredText(param: string, fields: Fields): string {
  const value = fields[param];
  if (value === undefined) throw missingParameter(param);
  if (typeof value !== 'string') throw wrongType(param, 'a string');
  return value;
}

function wrongType(param: string, expected: string): ApiError {
  const code = 'invalid_type';
  return new ApiError(400, `Invalid type for '${param}': expected ${expected}.`, { param, code });
}

function wrongValue(param: string, value: string, supported: readonly string[]): ApiError {
  const names = supported.map((name) => `'${name}'`).join(', ');
  const message = `Invalid value: '${value}'. Supported values are: ${names}.`;
  return new ApiError(400, message, { param, code: 'invalid_value' });
}

function completionWindow(value: string, { window: { minHours, maxHours } }: BatchRules): string {
  const hours = hoursOf(value);
  const onlyOne = minHours === maxHours;
  const fits = onlyOne ? value === `${minHours}h` : hours !== null && hours >= minHours && hours <= maxHours;
  if (fits) return value;
  const supported = onlyOne ? [`${minHours}h`] : [`${minHours}h`, `${maxHours / 24}d`];
  throw wrongValue('completion_window', value, supported);
}

function metadata(value: unknown): Readonly<Record<string, string>> | null {
  if (value === undefined || value === null) return null;
  if (!isObject(value)) throw wrongType('metadata', 'an object');
  const entries = Object.entries(value);
  if (entries.length > METADATA.keys) {
    const message = `Invalid 'metadata': too many properties. Expected an object with at most ${METADATA.keys} properties, but got an object with ${entries.length} properties instead.`;
    throw new ApiError(400, message, { param: 'metadata', code: 'object_above_max_properties' });
  }
  for (const [key, text] of entries) {
    checkLength(key, 'metadata', METADATA.keyLength);
    if (typeof text !== 'string') throw wrongType(`metadata.${key}`, 'a string');
    checkLength(text, `metadata.${key}`, METADATA.valueLength);
  }
  return value as Readonly<Record<string, string>>;
}

function checkLength(text: string, param: string, max: number): void {
  if (text.length <= max) return;
  const message = `Invalid '${param}': string too long. Expected a string with maximum length ${max}, but got a string with length ${text.length} instead.`;
  throw new ApiError(400, message, { param, code: 'string_above_max_length' });
}

function outputExpiry(value: unknown, { outputExpiry: bounds }: BatchRules): number | null {
  if (value === undefined || value === null) return null;
  if (bounds === null) {
    const param = 'output_expires_after';
    throw new ApiError(400, `Unknown parameter: '${param}'.`, { param, code: 'unknown_parameter' });
  }
  if (!isObject(value)) throw wrongType('output_expires_after', 'an object');
  const anchor = value['anchor'];
  if (anchor === undefined) throw missingParameter('output_expires_after.anchor');
  if (anchor !== 'created_at') {
    throw wrongValue('output_expires_after.anchor', JSON.stringify(anchor), ['created_at']);
  }
  const seconds = value['seconds'];
  if (seconds === undefined) throw missingParameter('output_expires_after.seconds');
  const { minSeconds, maxSeconds } = bounds;
  return boundedInteger(JSON.stringify(seconds), 'output_expires_after.seconds', minSeconds, maxSeconds);
}
