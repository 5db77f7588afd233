import { didYouMean } from '../contract/nearest-name.ts';

/** Why a first-level file of the root is not mirrored. */
export function hintForRootFile(folders: readonly string[]): string {
  return `a file in the root itself is not mirrored; move it into one of the purpose folders (${folders.join(', ')})`;
}

/** Why a first-level folder of the root is not mirrored, with the name that was probably meant. */
export function hintForFolder(name: string, folders: readonly string[]): string {
  return `no purpose folder of this name is configured${didYouMean(name, folders)}`;
}
