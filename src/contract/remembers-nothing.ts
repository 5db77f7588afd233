import type { ManifestView } from './types.ts';

/**
 * Whether a manifest has nothing to lose: no remote file of ours is known, none may exist unknown to us, and none is
 * still to be deleted. Only then may a root without a marker be taken for a new one. A rejection alone is nothing: the
 * file is looked at again.
 */
export function remembersNothing({
  files,
  intents,
  garbage,
}: Pick<ManifestView, 'files' | 'intents' | 'garbage'>): boolean {
  return files.size === 0 && intents.size === 0 && garbage.size === 0;
}
