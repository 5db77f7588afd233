/**
 * Reads JSON and remembers on which line every key stood, so that errors can point at it. `JSON.parse` knows
 * neither lines (not for every error) nor double keys, and a configuration is small enough to be read slowly.
 */
export interface JsonText {
  readonly value: unknown;
  /** The line (from 1) of the key or item at this path; of the nearest one above when it has none of its own. */
  readonly lineOf: (path: readonly PropertyKey[]) => number;
}

export class JsonSyntaxError extends Error {
  readonly line: number;
  readonly column: number;

  constructor(message: string, line: number, column: number) {
    super(message);
    this.name = 'JsonSyntaxError';
    this.line = line;
    this.column = column;
  }
}

const space = /[ \t\r\n]*/y;
const scalar =
  /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const deepest = 64;

/** Throws `JsonSyntaxError`. */
export function readJsonText(source: string): JsonText {
  const text = source.startsWith('\uFEFF') ? source.slice(1) : source;
  const lines = new Map<string, number>();
  let at = 0;

  const lineAt = (offset: number) => text.slice(0, offset).split('\n').length;

  function fail(expected: string, offset = at): never {
    const found =
      offset >= text.length
        ? 'the end of the file'
        : JSON.stringify(String.fromCodePoint(text.codePointAt(offset) ?? 0));
    const column = offset - text.lastIndexOf('\n', offset - 1);
    throw new JsonSyntaxError(`not JSON: expected ${expected}, found ${found}`, lineAt(offset), column);
  }

  function skipSpace(): void {
    space.lastIndex = at;
    space.test(text);
    at = space.lastIndex;
  }

  function take(character: string): boolean {
    skipSpace();
    if (text[at] !== character) return false;
    at += 1;
    return true;
  }

  function readScalar(expected: string): unknown {
    skipSpace();
    scalar.lastIndex = at;
    const match = scalar.exec(text);
    if (match === null) fail(expected);
    at = scalar.lastIndex;
    return JSON.parse(match[0]);
  }

  function readObject(path: readonly PropertyKey[]): Record<string, unknown> {
    const members: [string, unknown][] = [];
    const names = new Set<string>();
    if (take('}')) return {};
    do {
      skipSpace();
      const start = at;
      if (text[at] !== '"')
        fail(
          members.length === 0 ? 'a key in quotes or "}"' : 'a key in quotes (no comma after the last one)',
        );
      const name = String(readScalar('a key in quotes'));
      if (names.has(name)) {
        throw new JsonSyntaxError(
          `the key "${name}" is there twice`,
          lineAt(start),
          start - text.lastIndexOf('\n', start - 1),
        );
      }
      names.add(name);
      const memberPath = [...path, name];
      lines.set(pathKey(memberPath), lineAt(start));
      if (!take(':')) fail('":"');
      members.push([name, readValue(memberPath)]);
    } while (take(','));
    if (!take('}')) fail('"," or "}"');
    return Object.fromEntries(members);
  }

  function readArray(path: readonly PropertyKey[]): unknown[] {
    const items: unknown[] = [];
    if (take(']')) return items;
    do {
      skipSpace();
      const itemPath = [...path, items.length];
      lines.set(pathKey(itemPath), lineAt(at));
      items.push(readValue(itemPath));
    } while (take(','));
    if (!take(']')) fail('"," or "]"');
    return items;
  }

  function readValue(path: readonly PropertyKey[]): unknown {
    if (path.length > deepest) fail(`at most ${deepest} levels`);
    if (take('{')) return readObject(path);
    if (take('[')) return readArray(path);
    return readScalar('a value');
  }

  const value = readValue([]);
  skipSpace();
  if (at < text.length) fail('the end of the file');

  return {
    value,
    lineOf(path) {
      for (let length = path.length; length > 0; length--) {
        const line = lines.get(pathKey(path.slice(0, length)));
        if (line !== undefined) return line;
      }
      return 1;
    },
  };
}

function pathKey(path: readonly PropertyKey[]): string {
  return JSON.stringify(path.map(String));
}
