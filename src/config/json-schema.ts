import { z } from 'zod';
import { configSchema } from './schema.ts';

/** The part of JSON Schema that our schema uses. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | false;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly enum?: readonly string[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** The JSON Schema (draft 2020-12) of a configuration file. */
export function configJsonSchema(): SchemaNode {
  return z.toJSONSchema(configSchema, { io: 'input' }) as SchemaNode;
}

/** The schema of the value at this path; null when there can be none. */
export function schemaAt(schema: SchemaNode, path: readonly PropertyKey[]): SchemaNode | null {
  let node: SchemaNode | undefined = schema;
  for (const part of path) {
    const holder: SchemaNode | undefined = objectOf(node);
    node = holder?.properties?.[String(part)] ?? holder?.items ?? (holder?.additionalProperties || undefined);
    if (node === undefined) return null;
  }
  return node;
}

/** The keys that an object at this place may have. */
export function keysOf(node: SchemaNode | null): readonly string[] {
  return Object.keys(objectOf(node ?? undefined)?.properties ?? {}).filter((key) => key !== '$schema');
}

/** What a value must be, for people: `a whole number from 1 to 256`, `one of "mirror", "keep"`, `text or null`. */
export function expectation(node: SchemaNode): string {
  if (node.anyOf !== undefined) return node.anyOf.map(expectation).join(' or ');
  if (node.enum !== undefined) return `one of ${node.enum.map((value) => `"${value}"`).join(', ')}`;
  if (node.const !== undefined) return JSON.stringify(node.const);
  switch (node.type) {
    case 'integer':
      return `a whole number${range(node)}`;
    case 'number':
      return `a number${range(node)}`;
    case 'string':
      return 'text';
    case 'boolean':
      return 'true or false';
    case 'array':
      return 'a list of texts';
    case 'object':
      return 'an object';
    default:
      return node.type ?? 'something else';
  }
}

function range(node: SchemaNode): string {
  const max = node.maximum === Number.MAX_SAFE_INTEGER ? undefined : node.maximum;
  if (node.minimum === undefined) return '';
  return max === undefined ? ` of at least ${node.minimum}` : ` from ${node.minimum} to ${max}`;
}

function objectOf(node: SchemaNode | undefined): SchemaNode | undefined {
  return node?.anyOf?.find((choice) => choice.type === 'object') ?? node;
}
