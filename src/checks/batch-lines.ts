import { hash } from 'node:crypto';
import { formatCount } from '../contract/quantities.ts';
import type { RequestRules } from '../contract/types.ts';
import type { JsonObject, LineProblem, LineRules } from './line-rules.ts';
import { Remarks } from './findings.ts';
import { aKind, kindOf, quoted } from './wording.ts';

/** Longer ids are remembered by their SHA-256. */
const KEPT_ID_CHARS = 64;
/** So many ids are remembered, which is five times what OpenAI takes; two equal ones further on are the server's to find. */
const MAX_IDS = 250_000;

/** Their request schemas have `model` under `required`; those of the other batch endpoints have not. */
const NEEDS_MODEL = /\/(?:chat\/completions|completions|embeddings)$/;
/** Source: the embeddings reference, `input`. Only the one request fails, so that the file is not refused for it. */
const MAX_INPUTS_OF_REQUEST = 2048;

/** Source: the Batch API reference: the request input object; `endpoint` and `input_file_id` of "Create batch". */
export const OPENAI_REQUESTS: RequestRules = {
  endpoints: [
    '/v1/responses',
    '/v1/chat/completions',
    '/v1/embeddings',
    '/v1/completions',
    '/v1/moderations',
    '/v1/images/generations',
    '/v1/images/edits',
    '/v1/videos',
  ],
  oneEndpoint: true,
  oneModel: true,
  required: ['method', 'url', 'model'],
  maxRequests: 50_000,
  maxEmbeddingInputs: 50_000,
};

/**
 * The lines of a batch file: one request each. `rules`: what the server demands, OpenAI's or others'.
 */
export class BatchLines implements LineRules {
  readonly maxLines: number | null;
  /** Source: the JSON Lines format. */
  readonly allowsByteOrderMark = false;
  readonly #rules: RequestRules;
  readonly #ids = new Map<string, number>();
  readonly #url = new Common('url');
  readonly #model = new Common('model');
  readonly #remarks = new Remarks();
  #embeddingInputs = 0;

  constructor(rules: RequestRules) {
    this.#rules = rules;
    this.maxLines = rules.maxRequests;
  }

  check(request: JsonObject, line: number): LineProblem | null {
    const { custom_id, method, url, body } = request;
    return (
      this.#wrongId(custom_id, line) ??
      this.#wrongMethod(method) ??
      this.#wrongUrl(url, line) ??
      wrongBody(body) ??
      this.#wrongModel(url, body as JsonObject, line) ??
      wrongStream(body as JsonObject) ??
      this.#tooManyInputs(url, body as JsonObject, line)
    );
  }

  warnings(): readonly string[] {
    return this.#remarks.all;
  }

  /** Source: the request input object of the Batch API reference: `custom_id` is a string, unique in its file. */
  #wrongId(id: unknown, line: number): LineProblem | null {
    if (typeof id !== 'string') return notText('custom_id', 'custom-id', id);
    if (id === '') this.#remarks.add(line, 'custom_id is empty');
    const kept = id.length <= KEPT_ID_CHARS ? id : `${hash('sha256', id, 'hex')}#`;
    const first = this.#ids.get(kept);
    if (first !== undefined)
      return {
        rule: 'custom-id-duplicate',
        message: `custom_id ${quoted(id)} is already used on line ${first}`,
      };
    if (this.#ids.size < MAX_IDS) this.#ids.set(kept, line);
    return null;
  }

  /** Source: the same object: "Currently only `POST` is supported". */
  #wrongMethod(method: unknown): LineProblem | null {
    if (method === 'POST') return null;
    if (typeof method === 'string')
      return { rule: 'method', message: `method is ${quoted(method)} instead of "POST"` };
    return method === undefined && !this.#rules.required.includes('method')
      ? null
      : notText('method', 'method', method);
  }

  /** Sources: `url` of the same object, and `endpoint` of "Create batch": one, "to be used for all requests". */
  #wrongUrl(url: unknown, line: number): LineProblem | null {
    if (typeof url !== 'string')
      return url === undefined && !this.#rules.required.includes('url') ? null : notText('url', 'url', url);
    const { endpoints, oneEndpoint } = this.#rules;
    if (endpoints !== null && !endpoints.includes(url))
      return { rule: 'url', message: `url ${quoted(url)} is no batch endpoint (such as "/v1/responses")` };
    return oneEndpoint ? this.#url.differs(url, line) : null;
  }

  /**
   * Sources: the schemas of the requests, of which three demand a model (a response may have a stored prompt instead,
   * moderations, images and videos a default); the batch guide, "each input file can only include requests to a single
   * model".
   */
  #wrongModel(url: unknown, { model }: JsonObject, line: number): LineProblem | null {
    if (model === undefined) {
      const isNeeded =
        this.#rules.required.includes('model') && (typeof url !== 'string' || NEEDS_MODEL.test(url));
      return isNeeded ? notText('body.model', 'model', model) : null;
    }
    if (typeof model !== 'string' || model === '') return notText('body.model', 'model', model);
    return this.#rules.oneModel ? this.#model.differs(model, line) : null;
  }

  /** Source: `endpoint` of "Create batch": "a maximum of 50,000 embedding inputs across all requests". */
  #tooManyInputs(url: unknown, { input }: JsonObject, line: number): LineProblem | null {
    if (typeof url !== 'string' || !url.endsWith('/embeddings')) return null;
    const inputs = countInputs(input);
    if (inputs > MAX_INPUTS_OF_REQUEST)
      this.#remarks.add(line, `more than ${MAX_INPUTS_OF_REQUEST} embedding inputs in one request`);
    const { maxEmbeddingInputs: most } = this.#rules;
    const before = this.#embeddingInputs;
    this.#embeddingInputs += inputs;
    if (most === null || before > most || this.#embeddingInputs <= most) return null;
    return {
      rule: 'too-many-inputs',
      message: `the embedding inputs of all lines may be at most ${formatCount(most)}, and here they are ${formatCount(this.#embeddingInputs)}`,
    };
  }
}

/** Source: the batch guide: the fields of `body` are those of the endpoint's own request, a JSON object. */
function wrongBody(body: unknown): LineProblem | null {
  if (body === undefined) return { rule: 'body', message: 'body is missing' };
  return kindOf(body) === 'object'
    ? null
    : { rule: 'body', message: `body is ${aKind(body)} instead of an object` };
}

/** Source: the batch guide: requests with `stream=true` are rejected. */
function wrongStream({ stream }: JsonObject): LineProblem | null {
  return stream === true
    ? { rule: 'stream', message: 'body.stream is true, and a batch cannot stream' }
    : null;
}

/** A text, a list of tokens, or a list of either. Source: the embeddings reference, `input`. */
function countInputs(input: unknown): number {
  return Array.isArray(input) && typeof input[0] !== 'number' ? input.length : 1;
}

/** A value that must be the same on every line: the first one sets it. */
class Common {
  readonly #name: 'url' | 'model';
  #text: string | null = null;
  #line = 0;

  constructor(name: 'url' | 'model') {
    this.#name = name;
  }

  differs(text: string, line: number): LineProblem | null {
    if (this.#text === null) {
      this.#text = text;
      this.#line = line;
    }
    if (text === this.#text) return null;
    const name = this.#name;
    return {
      rule: `${name}-mixed`,
      message: `${name} ${quoted(text)} differs from ${quoted(this.#text)} on line ${this.#line}; one ${name} per file`,
    };
  }
}

/** What is said of a value that is to be a string that can be used. */
function notText(name: string, rule: string, value: unknown): LineProblem {
  if (value === undefined) return { rule, message: `${name} is missing` };
  return {
    rule,
    message: value === '' ? `${name} is empty` : `${name} is ${aKind(value)} instead of a string`,
  };
}
