export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null';

/**
 * Hears of keys and values whose container is at most `maxDepth` deep: the value of the text itself has depth 0, what
 * stands directly in it depth 1, and so on. A container is told of when it opens.
 */
export interface JsonListener {
  readonly maxDepth: number;
  /** A key of an object. Null: too long to matter. Returns whether the text of the value is wanted, if it is a string. */
  key(depth: number, text: string | null): boolean;
  /** `text`: of a string whose key was answered with true; null for anything else, and when it is too long to keep. */
  value(depth: number, kind: JsonKind, text: string | null): void;
}
