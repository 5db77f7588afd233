import { FirstUses } from './first-uses.ts';
import type { JsonKind } from './json-listener.ts';
import type { LineProblem, LineRules } from './line-rules.ts';
import { MAX_TEXT_BYTES } from './text-capture.ts';
import { aKind, quoted } from './wording.ts';

/** Source: the Batch API reference, `input_file_id`. */
const MAX_REQUESTS = 50_000;

/** Source: the Batch API reference, `endpoint`. */
const BATCH_ENDPOINTS: ReadonlySet<string> = new Set([
  '/v1/responses',
  '/v1/chat/completions',
  '/v1/embeddings',
  '/v1/completions',
  '/v1/moderations',
  '/v1/images/generations',
  '/v1/images/edits',
  '/v1/videos',
]);

/** A value of the current line: not there, of another kind, or a string. A text of null: longer than is ever kept. */
type Field = { readonly kind: JsonKind; readonly text: string | null } | null;

/**
 * The lines of a batch file: one request each. `custom_id` unique; `method` POST; `url` a batch endpoint, the same on
 * every line; `body` an object with a `model`, the same on every line.
 */
export class BatchLines implements LineRules {
  readonly maxDepth = 2;
  readonly maxLines = MAX_REQUESTS;
  readonly allowsByteOrderMark = false;
  readonly #ids = new FirstUses(MAX_REQUESTS);
  readonly #url = new Common();
  readonly #model = new Common();
  #kind: JsonKind = 'null';
  #key: string | null = null;
  #bodyKey: string | null = null;
  #customId: Field = null;
  #method: Field = null;
  #endpoint: Field = null;
  #body: JsonKind | null = null;
  #bodyModel: Field = null;

  beginLine(): void {
    this.#key = null;
    this.#bodyKey = null;
    this.#customId = null;
    this.#method = null;
    this.#endpoint = null;
    this.#body = null;
    this.#bodyModel = null;
  }

  key(depth: number, text: string | null): boolean {
    if (depth === 1) {
      this.#key = text;
      return text === 'custom_id' || text === 'method' || text === 'url';
    }
    this.#bodyKey = text;
    return this.#key === 'body' && text === 'model';
  }

  value(depth: number, kind: JsonKind, text: string | null): void {
    if (depth === 0) this.#kind = kind;
    else if (depth === 1) this.#field(kind, text);
    else if (this.#key === 'body' && this.#bodyKey === 'model') this.#bodyModel = { kind, text };
  }

  endLine(line: number): LineProblem | null {
    if (this.#kind !== 'object')
      return { rule: 'not-object', message: `${aKind(this.#kind)} instead of an object` };
    return this.#wrongId(line) ?? this.#wrongMethod() ?? this.#wrongUrl(line) ?? this.#wrongBody(line);
  }

  warnings(): readonly string[] {
    return [];
  }

  #field(kind: JsonKind, text: string | null): void {
    switch (this.#key) {
      case 'custom_id':
        this.#customId = { kind, text };
        break;
      case 'method':
        this.#method = { kind, text };
        break;
      case 'url':
        this.#endpoint = { kind, text };
        break;
      case 'body':
        this.#body = kind;
        this.#bodyKey = null;
        this.#bodyModel = null;
        break;
      default:
    }
  }

  #wrongId(line: number): LineProblem | null {
    const problem = notText('custom_id', 'custom-id', this.#customId);
    if (problem !== null) return problem;
    const id = this.#customId?.text ?? '';
    const first = this.#ids.use(id, line);
    return first === null
      ? null
      : { rule: 'custom-id-duplicate', message: `custom_id ${quoted(id)} is already used on line ${first}` };
  }

  #wrongMethod(): LineProblem | null {
    if (this.#method?.text === 'POST') return null;
    return (
      notText('method', 'method', this.#method) ?? {
        rule: 'method',
        message: `method is ${quoted(this.#method?.text ?? '')} instead of "POST"`,
      }
    );
  }

  #wrongUrl(line: number): LineProblem | null {
    const problem = notText('url', 'url', this.#endpoint);
    if (problem !== null) return problem;
    const url = this.#endpoint?.text ?? '';
    if (!BATCH_ENDPOINTS.has(url))
      return { rule: 'url', message: `url ${quoted(url)} is no batch endpoint (such as "/v1/responses")` };
    return this.#url.differs('url', url, line);
  }

  #wrongBody(line: number): LineProblem | null {
    if (this.#body === null) return { rule: 'body', message: 'body is missing' };
    if (this.#body !== 'object')
      return { rule: 'body', message: `body is ${aKind(this.#body)} instead of an object` };
    return (
      notText('body.model', 'model', this.#bodyModel) ??
      this.#model.differs('model', this.#bodyModel?.text ?? '', line)
    );
  }
}

/** A value that must be the same on every line: the first one sets it. */
class Common {
  #text: string | null = null;
  #line = 0;

  differs(name: 'url' | 'model', text: string, line: number): LineProblem | null {
    if (this.#text === null) {
      this.#text = text;
      this.#line = line;
    }
    if (text === this.#text) return null;
    return {
      rule: `${name}-mixed`,
      message: `${name} ${quoted(text)} differs from ${quoted(this.#text)} on line ${this.#line}; one ${name} per file`,
    };
  }
}

/** Why the field is not a string that can be used; null when it is. */
function notText(name: string, rule: string, field: Field): LineProblem | null {
  if (field === null) return { rule, message: `${name} is missing` };
  if (field.kind !== 'string')
    return { rule, message: `${name} is ${aKind(field.kind)} instead of a string` };
  if (field.text === null) return { rule, message: `${name} is longer than ${MAX_TEXT_BYTES} bytes` };
  return field.text === '' ? { rule, message: `${name} is empty` } : null;
}
