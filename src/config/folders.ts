import type { FolderRules, RequestRules } from '../contract/types.ts';
import { didYouMean } from '../contract/nearest-name.ts';
import type { Problem } from './problems.ts';
import type { ConfigFile, FolderFile } from './schema.ts';

type FolderDefaults = Omit<FolderRules, 'folder' | 'deletes'>;

const mebibyte = 1024 * 1024;

const plain: Omit<FolderDefaults, 'purpose'> = {
  expiresAfterSeconds: null,
  onExpiry: 'forget',
  renewBeforeSeconds: 86_400,
  check: 'basic',
  priority: 0,
  // The documented 512 MB and 200 MB; the API counts them in MiB.
  maxBytes: 512 * mebibyte,
};

/** The six folders there are when nothing is configured; each bears the name of its purpose. */
export const defaultFolders: ReadonlyMap<string, FolderDefaults> = new Map(
  [
    { ...plain, purpose: 'assistants', check: 'full' as const },
    { ...plain, purpose: 'batch', check: 'full' as const, priority: 10, maxBytes: 200 * mebibyte },
    { ...plain, purpose: 'fine-tune', check: 'full' as const },
    { ...plain, purpose: 'vision', check: 'full' as const },
    { ...plain, purpose: 'user_data' },
    { ...plain, purpose: 'evals', check: 'full' as const },
  ].map((folder) => [folder.purpose, folder]),
);

/**
 * Merges the configured folders over the defaults, key by key. A new folder starts from the defaults of its
 * purpose, where that is a known one.
 */
export function mergeFolders(
  configured: ConfigFile['folders'],
  deletesMode: FolderRules['deletes'],
): { readonly folders: readonly FolderRules[]; readonly problems: readonly Problem[] } {
  const merged = new Map<string, FolderRules>();
  for (const [name, defaults] of defaultFolders)
    merged.set(name, { folder: name, ...defaults, deletes: deletesMode });

  const problems: Problem[] = [];
  for (const [name, change] of Object.entries(configured)) {
    const path = ['folders', name];
    const wrongName = problemWithName(name);
    const unknown = !defaultFolders.has(name);
    if (wrongName !== null) {
      problems.push({ path, message: wrongName });
    } else if (change === false) {
      const message = `no such default folder to switch off${didYouMean(name, defaultFolders.keys())}`;
      if (unknown) problems.push({ path, message });
      merged.delete(name);
    } else if (unknown && change.purpose === undefined) {
      const message = `a new folder needs a "purpose"${didYouMean(name, defaultFolders.keys())}`;
      problems.push({ path, message });
    } else {
      merged.set(name, withChange(name, change, deletesMode));
    }
  }
  if (merged.size === 0)
    problems.push({ path: ['folders'], message: 'every folder is switched off: nothing to mirror' });
  return { folders: [...merged.values()].sort((a, b) => (a.folder < b.folder ? -1 : 1)), problems };
}

function withChange(name: string, change: FolderFile, deletesMode: FolderRules['deletes']): FolderRules {
  const purpose = change.purpose ?? defaultFolders.get(name)?.purpose ?? name;
  const defaults = defaultFolders.get(name) ?? defaultFolders.get(purpose) ?? plain;
  const expiresAfterSeconds =
    change.expiresAfterSeconds === undefined ? defaults.expiresAfterSeconds : change.expiresAfterSeconds;
  return {
    folder: name,
    purpose,
    // The API takes whole seconds only.
    expiresAfterSeconds: expiresAfterSeconds === null ? null : Math.round(expiresAfterSeconds),
    onExpiry: change.onExpiry ?? defaults.onExpiry,
    renewBeforeSeconds: change.renewBeforeSeconds ?? defaults.renewBeforeSeconds,
    check: change.check ?? defaults.check,
    priority: change.priority ?? defaults.priority,
    maxBytes: change.maxBytes ?? defaults.maxBytes,
    // JSON has no undefined values.
    ...(change.requests === undefined ? {} : { requests: change.requests as Partial<RequestRules> }),
    deletes: change.deletes?.mode ?? deletesMode,
  };
}

function problemWithName(name: string): string | null {
  if (name === '' || /[/\u0000]/.test(name)) return 'a folder name is one part of a path, without "/"';
  if (name.startsWith('.')) return 'a folder name must not start with "."';
  return Buffer.byteLength(name) > 255 ? 'a folder name has at most 255 bytes' : null;
}
