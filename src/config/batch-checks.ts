import { posix } from 'node:path';
import { isHeaderName } from '../contract/http-header.ts';
import { defaultFolders } from './folders.ts';
import type { Problem } from './problems.ts';
import type { ConfigFile } from './schema.ts';

/** What the API takes. Source: published description, `metadata`. Four keys are ours. */
const mostMetadataKeys = 16 - 4;
const longestKey = 64;
const longestValue = 512;

export function batchProblems(config: ConfigFile): readonly Problem[] {
  const { batches, folders } = config;
  return [
    ...cleanUpProblems(config),
    ...submitProblems(folders),
    ...resultsFolderProblems(batches.resultsFolder, folders),
    ...metadataProblems(batches.metadata),
    ...headerProblems(batches.idempotencyHeader),
  ];
}

/** What is deleted once its answers are here would be uploaded again. */
function cleanUpProblems({ batches, folders }: ConfigFile): readonly Problem[] {
  if (batches.cleanUp !== 'all') return [];
  return Object.entries(folders).flatMap(([name, folder]) => {
    if (folder === false || folder.submit !== true || folder.onExpiry !== 'renew') return [];
    const message = 'expected "forget", since batches.cleanUp is "all": a renewed file would come back';
    return [{ path: ['folders', name, 'onExpiry'], message }];
  });
}

function submitProblems(folders: ConfigFile['folders']): readonly Problem[] {
  return Object.entries(folders).flatMap(([name, folder]) => {
    if (folder === false || folder.submit !== true) return [];
    const purpose = folder.purpose ?? defaultFolders.get(name)?.purpose ?? name;
    if (purpose === 'batch') return [];
    const message = `only files of purpose "batch" can be submitted, and these have "${purpose}"`;
    return [{ path: ['folders', name, 'submit'], message }];
  });
}

function resultsFolderProblems(resultsFolder: string, folders: ConfigFile['folders']): readonly Problem[] {
  const path = ['batches', 'resultsFolder'];
  const parts = resultsFolder.split('/');
  const isPlain = !posix.isAbsolute(resultsFolder) && !parts.some((part) => ['', '.', '..'].includes(part));
  if (!isPlain || /[\\\u0000]/.test(resultsFolder))
    return [{ path, message: 'expected a folder below the root, such as "results"' }];
  const [first = ''] = parts;
  const isMirrored = folders[first] !== false && (first in folders || defaultFolders.has(first));
  if (!isMirrored) return [];
  const message = `"${first}" is mirrored: results there would be uploaded again; take another folder below the root`;
  return [{ path, message }];
}

function metadataProblems(metadata: ConfigFile['batches']['metadata']): readonly Problem[] {
  const path = ['batches', 'metadata'];
  const problems = Object.entries(metadata).flatMap(([key, value]): readonly Problem[] => {
    if (key.startsWith('files_mirror_')) return [{ path: [...path, key], message: 'this name is ours' }];
    if (key.length <= longestKey && value.length <= longestValue) return [];
    const message = `a key has at most ${longestKey} characters, a value at most ${longestValue}`;
    return [{ path: [...path, key], message }];
  });
  if (Object.keys(metadata).length <= mostMetadataKeys) return problems;
  return [...problems, { path, message: `at most ${mostMetadataKeys} keys, besides four of ours` }];
}

function headerProblems(header: string | null): readonly Problem[] {
  if (header === null || isHeaderName(header)) return [];
  return [{ path: ['batches', 'idempotencyHeader'], message: 'not a header name' }];
}
