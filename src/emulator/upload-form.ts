/** The form of `POST /files`: reading it from the wire, and the rules it must obey. */
import { ApiError, missingParameter } from './api-error.ts';
import { boundedInteger } from './bounded-integer.ts';
import type { ContentSpool } from './content-spool.ts';
import type { Dialect } from './dialects.ts';
import type { NewFile } from './file-store.ts';
import { readMultipart } from './multipart.ts';

const FIELD_LIMIT_BYTES = 1024;

const ANCHOR = 'expires_after[anchor]';
const SECONDS = 'expires_after[seconds]';
const FIELDS: ReadonlySet<string> = new Set(['purpose', ANCHOR, SECONDS]);

/** What a form said, not judged yet. */
export interface UploadForm {
  readonly fields: ReadonlyMap<string, string>;
  /** Null: there was no file. */
  readonly filename: string | null;
  readonly bytes: number;
}

export interface FormReading {
  readonly body: AsyncIterable<Buffer>;
  readonly boundary: string;
  readonly dialect: Dialect;
  readonly spool: ContentSpool;
  /** Told when the file part begins, with the purpose if it came first. Its content waits until this resolves. */
  readonly onFile: (filename: string, purpose: string | null) => Promise<void>;
  /** Told how many bytes of the file have arrived. */
  readonly onProgress: (bytes: number) => void;
}

/** Reads the whole form, the file's content into the spool. Throws `ApiError`, `MultipartError`. */
export async function readUploadForm(reading: FormReading): Promise<UploadForm> {
  const { dialect, spool } = reading;
  const fields = new Map<string, string>();
  let filename: string | null = null;
  let field: { readonly name: string; value: Buffer } | null = null;

  for await (const event of readMultipart(reading.body, reading.boundary)) {
    switch (event.kind) {
      case 'part':
        checkPart(event.name, fields, filename, dialect);
        if (event.name === 'file') {
          filename = fileNameOf(event.filename);
          reading.onProgress(0);
          await reading.onFile(filename, fields.get('purpose') ?? null);
        } else {
          if (filename !== null) checkLateField(event.name, dialect);
          field = { name: event.name, value: Buffer.alloc(0) };
        }
        break;
      case 'data':
        if (field === null) {
          checkSize(spool.bytes + event.chunk.length, fields.get('purpose'), dialect);
          await spool.write(event.chunk);
          reading.onProgress(spool.bytes);
        } else field.value = extendField(field.value, event.chunk, field.name);
        break;
      case 'end':
        if (field !== null) fields.set(field.name, field.value.toString('utf8'));
        field = null;
        break;
    }
  }
  return { fields, filename, bytes: spool.bytes };
}

/** What the form asks to be stored. Throws `ApiError` for the first rule that it breaks. */
export function judgeUploadForm({ fields, filename, bytes }: UploadForm, dialect: Dialect): NewFile {
  const purpose = fields.get('purpose');
  if (purpose === undefined) throw new ApiError(400, "'purpose' is a required property");
  if (dialect.purposes !== null && !dialect.purposes.includes(purpose)) {
    const known = dialect.purposes.map((name) => `'${name}'`).join(', ');
    throw new ApiError(400, `'${purpose}' is not one of [${known}] - 'purpose'`);
  }
  if (filename === null) throw new ApiError(400, "'file' is a required property");
  if (bytes === 0) throw new ApiError(400, 'File is empty.');
  checkSize(bytes, purpose, dialect);
  const jsonlApi = dialect.jsonlPurposes[purpose];
  if (jsonlApi !== undefined && !filename.endsWith('.jsonl')) {
    throw new ApiError(400, `Invalid file format for ${jsonlApi} API. Must be .jsonl`);
  }
  checkExtension(filename, dialect.extensions[purpose]);
  const byDefault = purpose === 'batch' ? dialect.batchExpiresAfterSeconds : null;
  return { purpose, filename, expiresAfterSeconds: requestedExpiry(fields, dialect) ?? byDefault };
}

/** In the API's own words. */
function checkExtension(filename: string, allowed: readonly string[] | undefined): void {
  const dot = filename.lastIndexOf('.');
  const extension = dot === -1 ? '' : filename.slice(dot + 1).toLowerCase();
  if (allowed === undefined || allowed.includes(extension)) return;
  const formats = allowed.map((each) => `"${each}"`).join(', ');
  throw new ApiError(400, `Invalid extension ${extension}. Supported formats: ${formats}`, { param: 'file' });
}

function checkPart(
  name: string,
  fields: ReadonlyMap<string, string>,
  filename: string | null,
  { moreFields }: Dialect,
): void {
  if (name !== 'file' && !FIELDS.has(name) && !moreFields.includes(name)) {
    throw new ApiError(400, `Additional properties are not allowed ('${name}' was unexpected)`);
  }
  if (fields.has(name) || (name === 'file' && filename !== null)) {
    throw new ApiError(400, `Duplicate form field '${name}'`, { param: name });
  }
}

function checkLateField(name: string, dialect: Dialect): void {
  if (dialect.expiry !== 'before-file' || !name.startsWith('expires_after')) return;
  throw new ApiError(400, `'${name}' must come before the file`, { param: name });
}

function fileNameOf(filename: string | null): string {
  if (filename !== null && filename !== '') return filename;
  throw new ApiError(400, "Expected 'file' to be a file with a name", { param: 'file' });
}

function extendField(value: Buffer, chunk: Buffer, name: string): Buffer {
  if (value.length + chunk.length > FIELD_LIMIT_BYTES) {
    throw new ApiError(400, `Form field '${name}' is too long`, { param: name });
  }
  return Buffer.concat([value, chunk]);
}

function checkSize(bytes: number, purpose: string | undefined, dialect: Dialect): void {
  if (bytes > dialect.maxFileBytes) {
    throw new ApiError(413, `Maximum content size limit (${dialect.maxFileBytes}) exceeded`);
  }
  const limit = purpose === undefined ? undefined : dialect.maxBytesByPurpose[purpose];
  if (limit === undefined || bytes <= limit) return;
  throw new ApiError(400, `File is too large for purpose '${purpose}'. The maximum size is ${limit} bytes.`);
}

function requestedExpiry(fields: ReadonlyMap<string, string>, dialect: Dialect): number | null {
  const anchor = fields.get(ANCHOR);
  const seconds = fields.get(SECONDS);
  if (anchor === undefined && seconds === undefined) return null;
  if (dialect.expiry === 'refused') {
    throw new ApiError(400, "Additional properties are not allowed ('expires_after' was unexpected)");
  }
  if (anchor === undefined || seconds === undefined) {
    throw missingParameter(anchor === undefined ? 'expires_after.anchor' : 'expires_after.seconds');
  }
  if (anchor !== 'created_at') {
    throw new ApiError(400, `Invalid value: '${anchor}'. Supported values are: 'created_at'.`, {
      param: 'expires_after.anchor',
      code: 'invalid_value',
    });
  }
  const { minSeconds, maxSeconds } = dialect.expiryBounds;
  return boundedInteger(seconds, 'expires_after.seconds', minSeconds, maxSeconds);
}
