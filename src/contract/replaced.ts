import type { Change, ManifestView, Replaced } from './types.ts';

/** What `change` is about to replace or remove in `view`. */
export function replacedBy(view: ManifestView, change: Change): Replaced {
  return {
    files: known(view.files, change.files),
    intents: known(view.intents, change.intents),
    garbage: known(view.garbage, change.garbage),
    rejected: known(view.rejected, change.rejected),
  };
}

function known<T>(
  section: ReadonlyMap<string, T>,
  touched: Readonly<Record<string, T | null>> | undefined,
): ReadonlyMap<string, T> {
  const found = new Map<string, T>();
  for (const key in touched) {
    const value = section.get(key);
    if (value !== undefined) found.set(key, value);
  }
  return found;
}
