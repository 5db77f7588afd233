import { basename, dirname, join, relative, sep } from 'node:path';
import { createIgnoreRules } from './ignore-rules.ts';
import { scanTree } from './scan.ts';

/** What lies below a folder, whether or not that is part of a mirror. `file`: absolute. */
export type FoundBelow =
  | { readonly kind: 'file'; readonly file: string }
  /** A link, a pipe, a name that is not UTF-8: never mirrored. */
  | { readonly kind: 'skipped'; readonly file: string; readonly detail: string }
  | { readonly kind: 'unlistable'; readonly file: string; readonly reason: string };

export interface FilesBelowOptions {
  /** Absolute. The folder itself is never ignored. */
  readonly directory: string;
  /** Absolute; the folder or one above it: ignore patterns are about paths relative to it, and its `.filesignore` counts. */
  readonly rulesRoot: string;
  /** `watch.ignore` of the configuration. */
  readonly patterns: readonly string[];
}

/** Walks the folder as a scan would. Throws only the signal's reason. */
export async function* filesBelow(
  options: FilesBelowOptions,
  signal: AbortSignal,
): AsyncIterable<FoundBelow> {
  const { directory, rulesRoot, patterns } = options;
  const inner = createIgnoreRules({ root: rulesRoot, patterns });
  const root = dirname(directory);
  const top = basename(directory);
  const rules = {
    ...inner,
    test: (path: string, isDirectory: boolean) =>
      path === top
        ? null
        : inner.test(relative(rulesRoot, join(root, path)).split(sep).join('/'), isDirectory),
  };
  for await (const items of scanTree({ root, folders: [top], rules }, top, signal)) {
    for (const item of items) {
      const file = join(root, item.path);
      if (item.kind === 'file') yield { kind: 'file', file };
      else if (item.kind === 'skipped') yield { kind: 'skipped', file, detail: item.detail };
      else if (item.kind === 'unlistable') yield { kind: 'unlistable', file, reason: item.reason };
    }
  }
}
