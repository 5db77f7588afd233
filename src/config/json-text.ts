import { findNodeAtLocation, getNodeValue, parseTree, printParseErrorCode, visit } from 'jsonc-parser';

/** JSON that was read, comments and all, with the line of every key, so that errors can point at it. */
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

const deepest = 64;

/** What is wrong inside a word; everything else is a word in the wrong place. */
const brokenWords: Readonly<Record<string, string>> = {
  UnexpectedEndOfString: 'a text in quotes does not end in its line',
  InvalidCharacter: 'a control character in a text, which must be written as an escape',
  InvalidEscapeCharacter: 'a backslash in a text is followed by what is no escape',
  InvalidUnicode: 'a "\\u" in a text is not followed by four hexadecimal digits',
  UnexpectedEndOfComment: 'a comment does not end',
};

/** Throws `JsonSyntaxError`. */
export function readJsonText(source: string): JsonText {
  const text = source.startsWith('\uFEFF') ? source.slice(1) : source;
  refuseFaults(text);
  const tree = parseTree(text);
  if (tree === undefined) throw new Error('a text without faults has no tree');
  return {
    value: getNodeValue(tree),
    lineOf(path) {
      for (let length = path.length; length > 0; length--) {
        const steps = path.slice(0, length).map((step) => (typeof step === 'number' ? step : String(step)));
        const node = findNodeAtLocation(tree, steps);
        if (node === undefined) continue;
        const { offset } = node.parent?.type === 'property' ? node.parent : node;
        return text.slice(0, offset).split('\n').length;
      }
      return 1;
    },
  };
}

/**
 * Throws at the first fault: the parser knows where, and what comes before it says what was expected there. A key that
 * is there twice is one too, which JSON itself allows.
 */
function refuseFaults(text: string): void {
  /** The keys of each object that is open; null for a list. */
  const open: (Set<string> | null)[] = [];
  let expected = 'a value';

  const fail = (message: string, line: number, character: number): never => {
    throw new JsonSyntaxError(message, line + 1, character + 1);
  };
  const begin = (keys: Set<string> | null, line: number, character: number): void => {
    open.push(keys);
    if (open.length > deepest) fail(`not JSON: more than ${deepest} levels`, line, character);
    expected = keys === null ? 'a value' : 'a key in quotes or "}"';
  };
  const endValue = (): void => {
    const within = open.at(-1);
    if (within === undefined) expected = 'the end of the file';
    else expected = within === null ? '"," or "]"' : '"," or "}"';
  };
  // The parser tells of an end that is missing as well, before it says that it is.
  const end = (offset: number): void => {
    if (offset === text.length) return;
    open.pop();
    endValue();
  };

  visit(text, {
    onObjectBegin: (_offset, _length, line, character) => begin(new Set(), line, character),
    onArrayBegin: (_offset, _length, line, character) => begin(null, line, character),
    onObjectEnd: end,
    onArrayEnd: end,
    onLiteralValue: endValue,
    onObjectProperty: (key, _offset, _length, line, character) => {
      const keys = open.at(-1);
      if (keys?.has(key)) fail(`the key "${key}" is there twice`, line, character);
      keys?.add(key);
      expected = '":"';
    },
    onSeparator: (separator) => {
      const isKeyNext = separator === ',' && open.at(-1) !== null;
      expected = isKeyNext ? 'a key in quotes (no comma after the last one)' : 'a value';
    },
    onError: (code, offset, _length, line, character) => {
      const why =
        brokenWords[printParseErrorCode(code)] ?? `expected ${expected}, found ${charAt(text, offset)}`;
      fail(`not JSON: ${why}`, line, character);
    },
  });
}

function charAt(text: string, offset: number): string {
  const code = text.codePointAt(offset);
  return code === undefined ? 'the end of the file' : JSON.stringify(String.fromCodePoint(code));
}
