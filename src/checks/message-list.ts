import type { JsonObject } from './line-rules.ts';
import { aKind, kindOf, quoted } from './wording.ts';

/**
 * Source: `messages` of the schemas `FineTuneChatRequestInput` and `FineTuneReinforcementRequestInput`; `function` is
 * the older name of `tool`.
 */
const ROLES: ReadonlySet<unknown> = new Set(['system', 'developer', 'user', 'assistant', 'tool', 'function']);
/**
 * What an assistant message may consist of instead of content. Source: the schema of the assistant message: content is
 * "required unless `tool_calls` or `function_call` is specified"; `refusal` and `audio` are its other parts.
 */
const INSTEAD_OF_CONTENT = ['tool_calls', 'function_call', 'refusal', 'audio'] as const;

/** The first thing that is wrong with an array of messages. `name`: how it is called, e.g. `input.messages`. */
export function wrongMessages(name: string, messages: readonly unknown[]): string | null {
  // Source: `minItems: 1` in the schemas.
  if (messages.length === 0) return `${name} is empty`;
  for (const [index, message] of messages.entries()) {
    const wrong = wrongMessage(message);
    if (wrong !== null) return `${name}[${index}] ${wrong}`;
  }
  return null;
}

/** The role of the last message, if it has one. */
export function lastRoleOf(messages: unknown): unknown {
  const last: unknown = Array.isArray(messages) ? messages.at(-1) : null;
  return kindOf(last ?? null) === 'object' ? (last as JsonObject)['role'] : null;
}

function wrongMessage(message: unknown): string | null {
  if (kindOf(message) !== 'object') return `is ${aKind(message)} instead of an object`;
  const { role, content } = message as JsonObject;
  if (role === undefined) return 'has no role';
  if (typeof role !== 'string') return `has ${aKind(role)} as role`;
  if (!ROLES.has(role)) return `has the unknown role ${quoted(role)}`;
  if (content === undefined || content === null)
    return mayLackContent(message as JsonObject) ? null : 'has no content';
  // Source: `minItems: 1` of the content parts in the schemas of messages.
  if (Array.isArray(content)) return content.length === 0 ? 'has an empty array as content' : null;
  return typeof content === 'string' ? null : `has ${aKind(content)} as content`;
}

function mayLackContent(message: JsonObject): boolean {
  // Source: the schema of the function message, whose content is a string or null.
  if (message['role'] === 'function') return message['content'] === null;
  return message['role'] === 'assistant' && INSTEAD_OF_CONTENT.some((key) => isGiven(message[key]));
}

/** Null is as good as nothing, and so is a list of no calls. */
function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
}
