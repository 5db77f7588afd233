import type { Inspection } from '../../../src/contract/ports.ts';
import type { FolderRules, MirrorPath } from '../../../src/contract/types.ts';

/** The first pattern that ignores a path, or null. */
export function ignoreRuleOf(path: MirrorPath): string | null {
  const parts = path.split('/');
  if (parts.some((part) => part.startsWith('.'))) return '.*';
  return path.endsWith('.tmp') ? '*.tmp' : null;
}

/** What the folder's rules say against a size, or null. */
export function precheckOf(sizeBytes: number, rules: FolderRules): Inspection['problem'] {
  if (sizeBytes === 0) return { rule: 'empty', message: 'the file is empty' };
  if (sizeBytes <= rules.maxBytes) return null;
  return { rule: 'too-large', message: `larger than ${rules.maxBytes} bytes` };
}

/** The first of the folder's rules against a content, or null. `contentRule`: whether any rule needs the content. */
export function problemOf(
  content: Uint8Array,
  rules: FolderRules,
  contentRule: boolean,
): Inspection['problem'] {
  const problem = precheckOf(content.length, rules);
  if (problem !== null || !contentRule || rules.check !== 'full') return problem;
  return (content[0] ?? 0) < 16 ? { rule: 'batch-line', message: 'line 1 is no request' } : null;
}

/** What tells one upload from another at the server. */
export function uploadKeyOf(purpose: string, remoteName: string, sizeBytes: number): string {
  return `${purpose} ${sizeBytes} ${remoteName}`;
}
