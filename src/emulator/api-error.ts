/** Refusals in OpenAI's words and shape: `{"error":{"message","type","param","code"}}`. */

interface ApiErrorDetails {
  readonly type?: string;
  readonly param?: string;
  readonly code?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Thrown anywhere in the handling of a request to answer it with an error. */
export class ApiError extends Error {
  readonly status: number;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, details: ApiErrorDetails = {}) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.type = details.type ?? 'invalid_request_error';
    this.param = details.param ?? null;
    this.code = details.code ?? null;
    this.headers = details.headers ?? {};
  }

  body(): string {
    const { message, type, param, code } = this;
    return `${JSON.stringify({ error: { message, type, param, code } }, null, 2)}\n`;
  }
}

export function noSuchFile(id: string): ApiError {
  return new ApiError(404, `No such File object: ${id}`, { param: 'id' });
}

export function noSuchBatch(id: string): ApiError {
  return new ApiError(404, `No batch found with id '${id}'.`);
}

export function missingParameter(param: string): ApiError {
  const code = 'missing_required_parameter';
  return new ApiError(400, `Missing required parameter: '${param}'.`, { param, code });
}

export function missingKey(): ApiError {
  return new ApiError(
    401,
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
  );
}

/** Unlike the real message this one leaves the key out, so that it cannot leak into a log. */
export function incorrectKey(): ApiError {
  return new ApiError(401, 'Incorrect API key provided.', { code: 'invalid_api_key' });
}

export function unknownUrl(method: string, path: string): ApiError {
  return new ApiError(404, `Invalid URL (${method} ${path})`);
}

export function methodNotAllowed(method: string, path: string, allowed: string): ApiError {
  return new ApiError(
    405,
    `Not allowed to ${method} on ${path}. (HINT: Perhaps you meant to use a different HTTP method?)`,
    { code: 'method_not_supported', headers: { allow: allowed } },
  );
}

/** `retryAfterSeconds`: whole seconds until one more upload would be let in. */
export function tooManyUploads(limit: number, retryAfterSeconds: number): ApiError {
  return new ApiError(
    429,
    `Rate limit reached for file uploads: Limit ${limit} / min. Please try again in ${retryAfterSeconds}s.`,
    {
      type: 'requests',
      code: 'rate_limit_exceeded',
      headers: { 'retry-after': String(retryAfterSeconds) },
    },
  );
}

export function storageQuotaExceeded(limitBytes: number): ApiError {
  return new ApiError(
    400,
    `You have exceeded your file storage quota. Your project can store up to ${limitBytes} bytes of files. Delete old files, or contact us to increase the limit.`,
  );
}

export function internalError(): ApiError {
  return new ApiError(500, 'The server had an error while processing your request. Sorry about that!', {
    type: 'server_error',
  });
}
