import { join } from 'node:path';
import ignore from 'ignore';
import { configFault, type Fault } from '../contract/faults.ts';
import type { MirrorPath } from '../contract/types.ts';
import { type Disk, realDisk, readRegularFile } from './disk.ts';
import { describeError } from '../contract/errno.ts';

/** Patterns of the user in gitignore syntax, in the root. */
export const IGNORE_FILE = '.filesignore';

/**
 * What is never meant for the mirror: hidden files, and what programs leave while they work. In any case, since Windows
 * and its shares shout. A later `!pattern` takes any of these back. In gitignore syntax, but only literal characters
 * and `*`, since they are compiled into one expression as well.
 *
 * Sources: the programs' own documents, and the exclusion lists that the Nextcloud and ownCloud clients ship.
 */
const DEFAULT_PATTERNS: readonly string[] = [
  // Hidden files: vim, rsync, syncthing, LibreOffice's locks, macOS and most others name theirs so.
  '.*',
  // Editors and office programs.
  '*~',
  '~$*',
  '.~lock*',
  '\\#*#',
  '*.swp',
  '*.swo',
  '*.swn',
  '*.swx',
  '*___jb_tmp___',
  '*___jb_old___',
  '*.tmp',
  '*.temp',
  // Browsers: Firefox, Chrome and Edge, older Edge and others, Opera, Safari (a folder).
  '*.part',
  '*.crdownload',
  '*.partial',
  '*.opdownload',
  '*.download',
  // Downloaders: WinSCP and FileZilla, aria2, yt-dlp, uTorrent, qBittorrent, BitComet, Free Download Manager, Xunlei.
  '*.filepart',
  '*.aria2',
  '*.ytdl',
  '*.!ut',
  '*.!qb',
  '*.bc!',
  '*.fdmdownload',
  '*.xltd',
  // Sync clients: Resilio, Unison.
  '*.!sync',
  '*.syncpart',
  '*.synctemp',
  '*.unison',
  // Windows itself.
  'Thumbs.db',
  'ehthumbs.db',
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
  let matchers = buildMatchers(patterns, ignoreFile);
  let testsLeft = TESTS_PER_MATCHER;
  let revision = 0;

  return {
    test(path, isDirectory) {
      const byDefault = SOME_DEFAULT_MATCHES.test(path);
      if (patterns.length === 0 && ignoreFile === '' && !byDefault) return null;
      if (testsLeft-- === 0) {
        matchers = buildMatchers(patterns, ignoreFile);
        testsLeft = TESTS_PER_MATCHER;
      }
      const { rule } = (byDefault ? matchers.all : matchers.own).test(isDirectory ? `${path}/` : path);
      return rule?.mark ?? null;
    },
    reload() {
      const now = readIgnoreFile(disk, root);
      const troubleBefore = trouble;
      trouble = now.kind === 'unreadable' ? `${now.why}; the rules it held before stay in force` : null;
      const isOther = now.kind === 'readable' && now.content !== ignoreFile;
      if (isOther) {
        ignoreFile = now.content;
        matchers = buildMatchers(patterns, ignoreFile);
      }
      if (isOther || trouble !== troubleBefore) revision += 1;
      return isOther;
    },
    trouble: () => trouble,
    revision: () => revision,
  };
}

interface Matchers {
  readonly all: ignore.Ignore;
  /** The user's patterns alone: for paths that no default matches, in a third of the time. */
  readonly own: ignore.Ignore;
}

function buildMatchers(patterns: readonly string[], ignoreFile: string): Matchers {
  const placed = (lines: readonly string[], place: string) =>
    lines.map((pattern) => ({ pattern, mark: `${pattern} (${place})` }));
  const defaults = placed(DEFAULT_PATTERNS, 'default').map(({ pattern, mark }) => ({
    pattern: inAnyCase(pattern),
    mark,
  }));
  const own = [...placed(patterns, 'watch.ignore'), ...placed(ignoreFile.split(/\r?\n/), IGNORE_FILE)];
  // Case-sensitive, the defaults aside: `A.txt` and `a.txt` are two files.
  const matcherOf = (rules: readonly { pattern: string; mark: string }[]) =>
    ignore({ ignorecase: false }).add(rules);
  return { all: matcherOf([...defaults, ...own]), own: matcherOf(own) };
}

function unreadable(root: string, why: string): Fault {
  return configFault(
    `${join(root, IGNORE_FILE)} cannot be read (${why}), so nothing tells what is to be left out; nothing was sent. Make it readable, or remove it`,
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
 * One expression that finds a path with a part that some default pattern matches: far faster than asking each. What
 * the patterns have in common (the start of a name, a dot, its end) stands there once, which halves the time.
 */
function compileDefaults(patterns: readonly string[]): RegExp {
  const sources = patterns.map((pattern) =>
    pattern.replace(/^\\/, '').replace(/[$.]/g, '\\$&').replaceAll('*', '[^/]*'),
  );
  const any = '[^/]*';
  const ends = sources.filter((source) => source.startsWith(any)).map((source) => source.slice(any.length));
  const starts = sources
    .filter((source) => !source.startsWith(any))
    .map((source) => (source.endsWith(any) ? source.slice(0, -any.length) : `${source}(?:/|$)`));
  const extensions = ends.filter((end) => end.startsWith('\\.')).map((end) => end.slice(2));
  const others = ends.filter((end) => !end.startsWith('\\.'));
  return new RegExp(
    `(?:^|/)(?:${starts.join('|')})|(?:${others.join('|')}|\\.(?:${extensions.join('|')}))(?:/|$)`,
    'i',
  );
}

/** `*.tmp` as `*.[tT][mM][pP]`. */
function inAnyCase(pattern: string): string {
  return pattern.replaceAll(/[a-z]/gi, (letter) => `[${letter.toLowerCase()}${letter.toUpperCase()}]`);
}
