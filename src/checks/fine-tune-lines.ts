import { counted } from '../contract/quantities.ts';
import type { JsonObject, LineProblem, LineRules } from './line-rules.ts';
import { lastRoleOf, wrongMessages } from './message-list.ts';
import { aKind, aKindNamed, type JsonKind, kindOf } from './wording.ts';

/** Below this the service refuses to train; the file itself it takes. Source: the fine-tuning guide. */
const MIN_EXAMPLES = 10;

type Form = 'chat' | 'reinforcement' | 'preference' | 'completion';

/**
 * The lines of a training file, all of one form: chat (`messages` that end with an assistant's), reinforcement
 * (`messages` that do not: the model is to answer), preference (`input` with `messages`, `preferred_output`,
 * `non_preferred_output`) or completion (`prompt`, `completion`).
 * Sources: the training file schemas of the fine-tuning API (`FineTune…RequestInput`); `training_file` of "Create
 * fine-tuning job", by which the format of a file follows from the one method and model of its job.
 */
export class FineTuneLines implements LineRules {
  readonly maxLines = null;
  readonly allowsByteOrderMark = true;
  #form: { readonly name: Form; readonly line: number } | null = null;

  check(example: JsonObject, line: number): LineProblem | null {
    const form = formOf(example);
    if (form === null)
      return {
        rule: 'form',
        message:
          'neither messages (chat, reinforcement), nor input and outputs (preference), nor prompt and completion',
      };
    const wrong = wrongExample(form, example);
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
    return [`${counted(lines, 'example')}: fine-tuning needs at least ${MIN_EXAMPLES}`];
  }
}

function formOf(example: JsonObject): Form | null {
  const has = (key: string): boolean => Object.hasOwn(example, key);
  if (has('preferred_output') || has('non_preferred_output')) return 'preference';
  if (has('messages')) return lastRoleOf(example['messages']) === 'assistant' ? 'chat' : 'reinforcement';
  if (has('prompt') || has('completion')) return 'completion';
  return has('input') ? 'preference' : null;
}

/** What is wrong with the line as one of this form. */
function wrongExample(form: Form, example: JsonObject): string | null {
  switch (form) {
    case 'completion':
      return wrongKind(example, 'prompt', 'string') ?? wrongKind(example, 'completion', 'string');
    case 'preference':
      return (
        wrongInput(example) ??
        wrongList(example, 'preferred_output') ??
        wrongList(example, 'non_preferred_output')
      );
    default:
      return wrongList(example, 'messages');
  }
}

function wrongInput(example: JsonObject): string | null {
  const wrong = wrongKind(example, 'input', 'object');
  if (wrong !== null) return wrong;
  const { messages } = example['input'] as JsonObject;
  return Array.isArray(messages)
    ? wrongMessages('input.messages', messages)
    : 'input.messages is missing or no array';
}

function wrongList(example: JsonObject, key: string): string | null {
  return wrongKind(example, key, 'array') ?? wrongMessages(key, example[key] as unknown[]);
}

function wrongKind(example: JsonObject, key: string, wanted: JsonKind): string | null {
  if (!Object.hasOwn(example, key)) return `${key} is missing`;
  const value = example[key];
  return kindOf(value) === wanted ? null : `${key} is ${aKind(value)} instead of ${aKindNamed(wanted)}`;
}

function describe(form: Form): string {
  return form === 'reinforcement'
    ? "the reinforcement form (the last message is not the assistant's)"
    : `the ${form} form`;
}
