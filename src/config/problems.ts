import type { z } from 'zod';
import { isObject } from '../contract/json.ts';
import { configJsonSchema, expectation, keysOf, schemaAt } from './json-schema.ts';
import { didYouMean } from '../contract/nearest-name.ts';

/** One thing that is wrong with the configuration. */
export interface Problem {
  /** The key it is about; empty for the whole. */
  readonly path: readonly PropertyKey[];
  /** What was expected, in one line. */
  readonly message: string;
}

/** Says what zod found in the words of our own schema: expectation, what was there, nearest known key. */
export function problemsOf(error: z.ZodError, raw: unknown): readonly Problem[] {
  const schema = configJsonSchema();
  return error.issues.flatMap((issue) => fromIssue(issue, [], schema, raw));
}

/** `limits.uploadsPerMinute`; a part that is no plain word is put into quotes. */
export function keyPath(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`;
      const name = String(part);
      return `${index === 0 ? '' : '.'}${/^[\w$-]+$/.test(name) ? name : JSON.stringify(name)}`;
    })
    .join('');
}

type Issue = z.core.$ZodIssue;
type Schema = ReturnType<typeof configJsonSchema>;

function fromIssue(
  issue: Issue,
  base: readonly PropertyKey[],
  schema: Schema,
  raw: unknown,
): readonly Problem[] {
  const path = [...base, ...issue.path];
  const found = valueAt(raw, path);
  if (issue.code === 'unrecognized_keys') {
    const known = keysOf(schemaAt(schema, path));
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: `unknown key${didYouMean(key, known)}`,
    }));
  }
  // A value of the right kind is judged by that branch of the union; anything else by the union as a whole.
  if (issue.code === 'invalid_union' && isObject(found)) {
    const fitting = issue.errors.find((branch) =>
      branch.every((inner) => inner.path.length > 0 || inner.code === 'unrecognized_keys'),
    );
    if (fitting !== undefined) return fitting.flatMap((inner) => fromIssue(inner, path, schema, raw));
  }
  const node = schemaAt(schema, path);
  const expected =
    node === null ? issue.message : `expected ${found === '' ? 'text that is not empty' : expectation(node)}`;
  return [{ path, message: `${expected}, got ${shown(found)}` }];
}

function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  let value = raw;
  for (const part of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[part];
  return value;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (isObject(value)) return 'an object';
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
