import type { JsonKind } from './json-listener.ts';
import type { LineProblem, LineRules } from './line-rules.ts';
import { MessageList } from './message-list.ts';
import { aKind } from './wording.ts';

/** Below this the service refuses to train; the file itself it takes. Source: the fine-tuning guide. */
const MIN_EXAMPLES = 10;

type Form = 'chat' | 'reinforcement' | 'preference' | 'completion';

const FORM_KEYS: ReadonlySet<string> = new Set([
  'messages',
  'prompt',
  'completion',
  'input',
  'preferred_output',
  'non_preferred_output',
]);
const MESSAGE_ARRAYS: ReadonlySet<string> = new Set(['messages', 'preferred_output', 'non_preferred_output']);

/**
 * The lines of a training file, all of one form: chat (`messages` that end with an assistant's), reinforcement
 * (`messages` that do not: the model is to answer), preference (`input` with `messages`, `preferred_output`,
 * `non_preferred_output`) or completion (`prompt`, `completion`).
 * Source: the training file schemas of the fine-tuning API (`FineTune…RequestInput`).
 */
export class FineTuneLines implements LineRules {
  /** As deep as the role of a message in `input.messages`. */
  readonly maxDepth = 4;
  readonly maxLines = null;
  readonly allowsByteOrderMark = true;
  #form: { readonly name: Form; readonly line: number } | null = null;
  #kind: JsonKind = 'null';
  #key: string | null = null;
  #innerKey: string | null = null;
  /** The top-level keys that tell the form, and what they hold. */
  readonly #kinds = new Map<string, JsonKind>();
  /** The message arrays of this line, by top-level key; `input` stands for `input.messages`. */
  readonly #lists = new Map<string, MessageList>();
  /** The array that is going by, and the depth of its elements. */
  #list: MessageList | null = null;
  #elementDepth = 0;

  beginLine(): void {
    this.#key = null;
    this.#innerKey = null;
    this.#list = null;
    this.#kinds.clear();
    this.#lists.clear();
  }

  key(depth: number, text: string | null): boolean {
    if (depth === 1) this.#key = text;
    else if (depth === 2) this.#innerKey = text;
    return this.#list !== null && depth === this.#elementDepth + 1 && this.#list.key(text);
  }

  value(depth: number, kind: JsonKind, text: string | null): void {
    if (depth === 0) this.#kind = kind;
    else if (depth === 1) this.#topValue(kind);
    else if (depth === 2 && this.#key === 'input' && this.#kinds.get('input') === 'object')
      this.#inputValue(kind);
    else if (this.#list !== null && depth === this.#elementDepth) this.#list.begin(kind);
    else if (this.#list !== null && depth === this.#elementDepth + 1) this.#list.value(kind, text);
  }

  endLine(line: number): LineProblem | null {
    if (this.#kind !== 'object')
      return { rule: 'not-object', message: `${aKind(this.#kind)} instead of an object` };
    const form = this.#formOf();
    if (form === null)
      return {
        rule: 'form',
        message:
          'neither messages (chat, reinforcement), nor input and outputs (preference), nor prompt and completion',
      };
    const wrong = this.#wrong(form);
    if (wrong !== null) return { rule: form, message: wrong };
    this.#form ??= { name: form, line };
    if (form === this.#form.name) return null;
    return {
      rule: 'form-mixed',
      message: `${describe(form)} differs from ${describe(this.#form.name)} on line ${this.#form.line}; one form per file`,
    };
  }

  warnings(lines: number): readonly string[] {
    if (lines >= MIN_EXAMPLES) return [];
    return [`${lines} example${lines === 1 ? '' : 's'}: fine-tuning needs at least ${MIN_EXAMPLES}`];
  }

  #topValue(kind: JsonKind): void {
    const key = this.#key;
    this.#list = null;
    this.#innerKey = null;
    if (key === null || !FORM_KEYS.has(key)) return;
    this.#kinds.set(key, kind);
    this.#lists.delete(key);
    if (kind === 'array' && MESSAGE_ARRAYS.has(key)) this.#openList(key, key, 2);
  }

  #inputValue(kind: JsonKind): void {
    this.#list = null;
    if (this.#innerKey !== 'messages') return;
    this.#lists.delete('input');
    if (kind === 'array') this.#openList('input', 'input.messages', 3);
  }

  #openList(key: string, name: string, elementDepth: number): void {
    this.#list = new MessageList(name);
    this.#elementDepth = elementDepth;
    this.#lists.set(key, this.#list);
  }

  #formOf(): Form | null {
    const has = (key: string): boolean => this.#kinds.has(key);
    if (has('preferred_output') || has('non_preferred_output')) return 'preference';
    if (has('messages'))
      return this.#lists.get('messages')?.lastRole === 'assistant' ? 'chat' : 'reinforcement';
    if (has('prompt') || has('completion')) return 'completion';
    return has('input') ? 'preference' : null;
  }

  /** What is wrong with the line as one of this form. */
  #wrong(form: Form): string | null {
    if (form === 'completion')
      return this.#wrongKind('prompt', 'string') ?? this.#wrongKind('completion', 'string');
    if (form !== 'preference') return this.#wrongList('messages');
    return (
      this.#wrongInput() ?? this.#wrongList('preferred_output') ?? this.#wrongList('non_preferred_output')
    );
  }

  #wrongInput(): string | null {
    const wrong = this.#wrongKind('input', 'object');
    if (wrong !== null) return wrong;
    const list = this.#lists.get('input');
    return list === undefined ? 'input.messages is missing or no array' : list.end();
  }

  #wrongList(key: string): string | null {
    return this.#wrongKind(key, 'array') ?? this.#lists.get(key)?.end() ?? null;
  }

  #wrongKind(key: string, wanted: JsonKind): string | null {
    const kind = this.#kinds.get(key);
    if (kind === undefined) return `${key} is missing`;
    return kind === wanted ? null : `${key} is ${aKind(kind)} instead of ${aKind(wanted)}`;
  }
}

function describe(form: Form): string {
  return form === 'reinforcement'
    ? "the reinforcement form (the last message is not the assistant's)"
    : `the ${form} form`;
}
