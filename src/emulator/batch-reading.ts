/** What a server finds when it validates the input of a batch. */
import type { BatchRules } from './batch-rules.ts';
import { instructionOf } from './line-instructions.ts';
import { readLines } from './input-lines.ts';
import type { BatchProblem, BatchReading } from './stored-batch.ts';

/** More are not told. */
const MAX_PROBLEMS = 100;
const MAX_EMBEDDING_INPUTS = 50_000;

export interface LineRequest {
  readonly custom_id: string;
  readonly url: string;
  readonly body: Readonly<Record<string, unknown>>;
}

type Flaw = Omit<BatchProblem, 'line'>;

/** Reads the whole input, a line at a time. */
export async function readRequests(path: string, endpoint: string, rules: BatchRules): Promise<BatchReading> {
  const seen = new Set<string>();
  const problems: BatchProblem[] = [];
  let [requests, failing, bytes, embeddingInputs] = [0, 0, 0, 0];
  let model: string | null = null;
  for await (const line of readLines(path)) {
    requests += 1;
    bytes += line.bytes.length;
    if (requests > rules.maxRequests) break;
    const request = parsedObject(line.bytes.toString('utf8'));
    const flaws = request === null ? [NOT_JSON] : flawsOf(request, { endpoint, model, seen }, rules);
    for (const flaw of flaws)
      if (problems.length < MAX_PROBLEMS) problems.push({ ...flaw, line: line.number });
    if (request === null || flaws.length > 0) continue;
    const { custom_id: customId, body } = request as unknown as LineRequest;
    seen.add(customId);
    if (typeof body['model'] === 'string') model ??= body['model'];
    if (instructionOf(body).fails) failing += 1;
    if (Array.isArray(body['input']) && endpoint.endsWith('/embeddings'))
      embeddingInputs += body['input'].length;
  }
  const whole = wholeFlaw(requests, embeddingInputs, rules);
  if (whole !== null) problems.unshift({ ...whole, line: null });
  return { requests, failing, tokens: Math.ceil(bytes / 4), model, problems };
}

const NOT_JSON: Flaw = {
  code: 'invalid_json_line',
  message: 'This line is not parseable as valid JSON.',
  param: null,
};

function parsedObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface LineContext {
  readonly endpoint: string;
  /** Of the lines before; null: none has named one. */
  readonly model: string | null;
  readonly seen: ReadonlySet<string>;
}

/** The first flaw of each field. */
function flawsOf(
  line: Readonly<Record<string, unknown>>,
  context: LineContext,
  rules: BatchRules,
): readonly Flaw[] {
  const { custom_id: customId, method, url, body } = line;
  const flaws = [
    missing('custom_id', customId) ??
      wrongType('custom_id', 'string', typeof customId === 'string') ??
      duplicate(customId, context),
    missing('method', method) ?? wrongMethod(method),
    missing('url', url) ?? wrongUrl(url, context.endpoint, rules),
    missing('body', body) ?? wrongType('body', 'object', isObject(body)) ?? bodyFlaw(body, context, rules),
  ];
  return flaws.filter((flaw) => flaw !== null);
}

function missing(param: string, value: unknown): Flaw | null {
  if (value !== undefined) return null;
  return { code: 'missing_required_parameter', message: `Missing required parameter: '${param}'.`, param };
}

function wrongType(param: string, expected: string, fits: boolean): Flaw | null {
  return fits
    ? null
    : { code: 'invalid_type', message: `Invalid type for '${param}': expected ${expected}.`, param };
}

function duplicate(customId: unknown, { seen }: LineContext): Flaw | null {
  if (!seen.has(String(customId))) return null;
  const message = `The custom_id '${String(customId)}' for this request is a duplicate of another request. The custom_id parameter must be unique for each request in a batch.`;
  return { code: 'duplicate_custom_id', message, param: 'custom_id' };
}

function wrongMethod(method: unknown): Flaw | null {
  if (method === 'POST') return null;
  return {
    code: 'invalid_method',
    message: `Invalid method '${String(method)}'. Only 'POST' is supported.`,
    param: 'method',
  };
}

function wrongUrl(url: unknown, endpoint: string, { codes, endpoints, lineUrls }: BatchRules): Flaw | null {
  if (url === endpoint) return null;
  const plain = String(url).replace(/^\/v1(?=\/)/, '');
  if (lineUrls === 'any' && endpoints.includes(plain)) return null;
  const message = `The URL provided for this request does not match the batch endpoint: '${endpoint}'.`;
  return { code: codes.url, message, param: 'url' };
}

function bodyFlaw(body: unknown, { endpoint, model: expected }: LineContext, rules: BatchRules): Flaw | null {
  const { model, stream } = body as Readonly<Record<string, unknown>>;
  if (stream === true) {
    return { code: 'invalid_value', message: "'stream' is not supported in a batch.", param: 'body.stream' };
  }
  if (model === undefined) return NEEDS_MODEL.test(endpoint) ? missing('body.model', model) : null;
  if (typeof model !== 'string') return wrongType('body.model', 'string', false);
  if (!rules.oneModel || expected === null || model === expected) return null;
  const message = `The provided model '${model}' does not match the expected model '${expected}'. All requests of a batch must be for one model.`;
  return { code: rules.codes.model, message, param: 'body.model' };
}

const NEEDS_MODEL = /\/(?:chat\/completions|responses|embeddings|completions)$/;

function wholeFlaw(requests: number, embeddingInputs: number, { maxRequests }: BatchRules): Flaw | null {
  if (requests === 0) return { code: 'empty_file', message: 'The input file has no requests.', param: null };
  const [what, limit] =
    requests > maxRequests ? ['requests', maxRequests] : ['embedding inputs', MAX_EMBEDDING_INPUTS];
  if (requests <= maxRequests && embeddingInputs <= limit) return null;
  return { code: 'too_many_tasks', message: `The input file has more than ${limit} ${what}.`, param: null };
}
