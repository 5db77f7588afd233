import { join } from 'node:path';
import ignore from 'ignore';
import { Fault } from '../mirror/faults.ts';
import type { MirrorPath } from '../mirror/types.ts';
import { type Disk, realDisk } from './disk.ts';
import { describeError } from './errno.ts';
import { readRegularFile } from './regular-file.ts';

/** Patterns of the user in gitignore syntax, in the root. */
export const IGNORE_FILE = '.filesignore';

/**
 * What is never meant for the mirror: hidden files, and what editors, browsers, office programs and transfer
 * tools leave while they work. A later `!pattern` takes any of these back. In gitignore syntax, but only literal
 * characters and `*`, since they are compiled into one expression as well.
 */
const DEFAULT_PATTERNS: readonly string[] = [
  '.*',
  '*~',
  '~$*',
  '.~lock*',
  '\\#*#',
  '*.swp',
  '*.tmp',
  '*.part',
  '*.filepart',
  '*.crdownload',
  'Thumbs.db',
  'desktop.ini',
];

/** What the `ignore` package remembers per instance grows with every path; a fresh one now and then keeps it flat. */
const TESTS_PER_MATCHER = 5_000;

const SOME_DEFAULT_MATCHES = compileDefaults(DEFAULT_PATTERNS);

export interface IgnoreRules {
  /**
   * The rule that ignores this path, or a folder above it, naming the pattern and where it is written, e.g.
   * `*.tmp (default)`; null when none does.
   */
  test(path: MirrorPath, isDirectory: boolean): string | null;
  /** Reads the ignore file again. True when the rules are other ones than before. An unreadable file changes nothing. */
  reload(): boolean;
  /** Why the ignore file could not be read the last time, and what follows from that; null when it could. */
  trouble(): string | null;
  /** Counts the changes, of `trouble` too: whoever keeps what followed from the rules can tell that they are other ones now. */
  revision(): number;
}

export interface IgnoreRulesOptions {
  /** Absolute. */
  readonly root: string;
  /** `watch.ignore` of the configuration, in gitignore syntax. */
  readonly patterns: readonly string[];
  readonly disk?: Disk;
}

/**
 * Throws `Fault` (`config`) when there is an ignore file that cannot be read: what it was to keep back would be sent.
 *
 * Defaults first, then the configuration, then the ignore file: the last pattern that matches decides, as
 * in git.
 */
export function createIgnoreRules({ root, patterns, disk = realDisk }: IgnoreRulesOptions): IgnoreRules {
  const first = readIgnoreFile(disk, root);
  if (first.kind === 'unreadable') throw unreadable(root, first.why);
  let ignoreFile = first.content;
  let trouble: string | null = null;
  let matcher = buildMatcher(patterns, ignoreFile);
  let testsLeft = TESTS_PER_MATCHER;
  let revision = 0;

  return {
    test(path, isDirectory) {
      if (patterns.length === 0 && ignoreFile === '' && !SOME_DEFAULT_MATCHES.test(path)) return null;
      if (testsLeft-- === 0) {
        matcher = buildMatcher(patterns, ignoreFile);
        testsLeft = TESTS_PER_MATCHER;
      }
      const { rule } = matcher.test(isDirectory ? `${path}/` : path);
      return rule === undefined ? null : `${rule.pattern} (${rule.mark ?? ''})`;
    },
    reload() {
      const now = readIgnoreFile(disk, root);
      const troubleBefore = trouble;
      trouble = now.kind === 'unreadable' ? `${now.why}; the rules it held before stay in force` : null;
      const isOther = now.kind === 'readable' && now.content !== ignoreFile;
      if (isOther) {
        ignoreFile = now.content;
        matcher = buildMatcher(patterns, ignoreFile);
      }
      if (isOther || trouble !== troubleBefore) revision += 1;
      return isOther;
    },
    trouble: () => trouble,
    revision: () => revision,
  };
}

function buildMatcher(patterns: readonly string[], ignoreFile: string): ignore.Ignore {
  const marked = (lines: readonly string[], mark: string) => lines.map((pattern) => ({ pattern, mark }));
  // Case-sensitive: `A.txt` and `a.txt` are two files.
  return ignore({ ignorecase: false }).add([
    ...marked(DEFAULT_PATTERNS, 'default'),
    ...marked(patterns, 'watch.ignore'),
    ...marked(ignoreFile.split(/\r?\n/), IGNORE_FILE),
  ]);
}

function unreadable(root: string, why: string): Fault {
  return new Fault(
    `${join(root, IGNORE_FILE)} cannot be read (${why}), so nothing tells what is to be left out; nothing was sent. Make it readable, or remove it`,
    { disposition: 'fatal', outcome: 'refused', rule: 'config' },
  );
}

type IgnoreFile =
  | { readonly kind: 'readable'; readonly content: string }
  | { readonly kind: 'unreadable'; readonly why: string };

/** No file is as good as an empty one. A link whose target is gone is not "no file". */
function readIgnoreFile(disk: Disk, root: string): IgnoreFile {
  const path = join(root, IGNORE_FILE);
  try {
    if (disk.lstatSync(path, { throwIfNoEntry: false }) === undefined)
      return { kind: 'readable', content: '' };
    const bytes = readRegularFile(disk, path);
    if (bytes === null) return { kind: 'unreadable', why: 'not a regular file' };
    const content = decode(bytes);
    return content === null ? { kind: 'unreadable', why: 'not UTF-8 text' } : { kind: 'readable', content };
  } catch (error) {
    return { kind: 'unreadable', why: describeError(error) };
  }
}

/** Null: not UTF-8. Patterns in another encoding (UTF-16 of older Windows shells) would match nothing, silently. */
function decode(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.includes('\0') ? null : text;
  } catch {
    return null;
  }
}

/**
 * One expression that finds a path with a part that some default pattern matches: far faster than asking each. A `*`
 * at either end is left out with the border behind it, since then only the other end has to be found.
 */
function compileDefaults(patterns: readonly string[]): RegExp {
  const alternatives = patterns.map((pattern) => {
    const literal = pattern.replace(/^\\/, '');
    const middle = literal
      .replace(/^\*|\*$/g, '')
      .replace(/[$.\\]/g, '\\$&')
      .replaceAll('*', '[^/]*');
    return `${literal.startsWith('*') ? '' : '(?:^|/)'}${middle}${literal.endsWith('*') ? '' : '(?:/|$)'}`;
  });
  return new RegExp(alternatives.join('|'));
}
