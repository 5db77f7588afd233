import type { CheckProblem } from '../contract/content-check.ts';
import type { FolderRules } from '../contract/types.ts';
import { bytes } from './wording.ts';

/**
 * What file search and the code interpreter take. Source: the tables "Supported files" of both tools' guides, and the
 * list in the API's own "Invalid extension" error, which adds `webp`.
 */
const DOCUMENTS =
  'c cpp cs css csv doc docx gif go html java jpeg jpg js json md pdf php pkl png pptx py rb sh tar tex ts txt webp xlsx xml zip';

/**
 * The extensions that a purpose takes; a purpose that is not here (`user_data`, those of other servers) takes any.
 * Sources: the reference of "Upload file" (`batch`, `fine-tune`); the images and vision guide, "Supported file types".
 */
const EXTENSIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ['batch', ['jsonl']],
  ['fine-tune', ['jsonl']],
  ['vision', ['png', 'jpg', 'jpeg', 'gif', 'webp']],
  ['assistants', DOCUMENTS.split(' ')],
]);

/** What comes behind the last dot, in lower case; empty if there is none. */
export function extensionOf(fileName: string): string {
  const dot = fileName.lastIndexOf('.');
  return dot === -1 ? '' : fileName.slice(dot + 1).toLowerCase();
}

/**
 * What speaks against a file before its content is looked at. Sources of the sizes: the reference of "Upload file",
 * and the folder's `maxBytes` where a server differs. With `check: 'off'` only an empty file is refused, which
 * no server takes: sizes and names are a matter of the server, and `off` is how to say that this one is different.
 */
export function nameAndSizeProblem(
  rules: FolderRules,
  fileName: string,
  sizeBytes: number,
): CheckProblem | null {
  if (sizeBytes === 0) return { rule: 'empty', message: 'the file is empty' };
  if (rules.check === 'off') return null;
  if (sizeBytes > rules.maxBytes) {
    return {
      rule: 'too-large',
      message: `${bytes(sizeBytes)} are more than the ${bytes(rules.maxBytes)} allowed for ${rules.purpose}`,
    };
  }
  const allowed = EXTENSIONS.get(rules.purpose);
  const extension = extensionOf(fileName);
  if (allowed === undefined || allowed.includes(extension)) return null;
  const found = extension === '' ? 'a name without extension' : `the extension .${extension}`;
  return {
    rule: 'extension',
    message: `${found} is not accepted for ${rules.purpose}: ${allowed.map((one) => `.${one}`).join(' ')}`,
  };
}

/** What is unusual about a name, and no reason to refuse it: that eval data is JSON Lines is nowhere said of its name. */
export function nameWarnings({ purpose, check }: FolderRules, fileName: string): readonly string[] {
  if (purpose !== 'evals' || check === 'off' || extensionOf(fileName) === 'jsonl') return [];
  return ['the name does not end in .jsonl, as those of eval data do'];
}
