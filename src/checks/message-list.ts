import type { JsonKind } from './json-listener.ts';
import { aKind, quoted } from './wording.ts';

/** Source: the chat format of the fine-tuning guide; `function` is the older name of `tool`. */
const ROLES: ReadonlySet<string> = new Set(['system', 'developer', 'user', 'assistant', 'tool', 'function']);
/** What an assistant message may consist of instead of content. */
const INSTEAD_OF_CONTENT: ReadonlySet<string> = new Set(['tool_calls', 'function_call', 'refusal', 'audio']);

/** One array of messages, as it goes by: each an object with a known `role` and a `content`. */
export class MessageList {
  readonly #name: string;
  #count = 0;
  #problem: string | null = null;
  #key: string | null = null;
  #open = false;
  #role: string | null = null;
  #roleKind: JsonKind | null = null;
  #content: JsonKind | null = null;
  #replaced = false;

  /** `name`: how problems call it, e.g. `input.messages`. */
  constructor(name: string) {
    this.#name = name;
  }

  /** The next element of the array starts. */
  begin(kind: JsonKind): void {
    this.#finish();
    this.#count++;
    this.#key = null;
    this.#role = null;
    this.#roleKind = null;
    this.#content = null;
    this.#replaced = false;
    this.#open = kind === 'object';
    if (!this.#open) this.#blame(`is ${aKind(kind)} instead of an object`);
  }

  key(text: string | null): boolean {
    this.#key = text;
    return text === 'role';
  }

  value(kind: JsonKind, text: string | null): void {
    if (this.#key === 'role') {
      this.#roleKind = kind;
      this.#role = text;
    } else if (this.#key === 'content') this.#content = kind;
    else if (this.#key !== null && INSTEAD_OF_CONTENT.has(this.#key)) this.#replaced = true;
  }

  /** The array is over. Returns the first thing that is wrong with it. */
  end(): string | null {
    this.#finish();
    return this.#count === 0 ? `${this.#name} is empty` : this.#problem;
  }

  /** The role of the last message. */
  get lastRole(): string | null {
    return this.#role;
  }

  #finish(): void {
    if (!this.#open) return;
    this.#open = false;
    if (this.#roleKind === null) this.#blame('has no role');
    else if (this.#role === null)
      this.#blame(
        `has ${this.#roleKind === 'string' ? 'no known role' : `${aKind(this.#roleKind)} as role`}`,
      );
    else if (!ROLES.has(this.#role)) this.#blame(`has the unknown role ${quoted(this.#role)}`);
    else if (this.#content === null || this.#content === 'null') {
      if (!(this.#role === 'assistant' && this.#replaced)) this.#blame('has no content');
    } else if (this.#content !== 'string' && this.#content !== 'array')
      this.#blame(`has ${aKind(this.#content)} as content`);
  }

  #blame(what: string): void {
    this.#problem ??= `${this.#name}[${this.#count - 1}] ${what}`;
  }
}
