import type { FolderRules } from '../mirror/types.ts';
import type { CheckProblem } from './findings.ts';

/**
 * What file search and the code interpreter take. Source: the tables "Supported files" of both tools' guides, and the
 * list in the API's own "Invalid extension" error, which adds `webp`.
 */
const DOCUMENTS =
  'c cpp cs css csv doc docx gif go html java jpeg jpg js json md pdf php pkl png pptx py rb sh tar tex ts txt webp xlsx xml zip';

/** The extensions that a purpose takes; a purpose that is not here (`user_data`, those of other servers) takes any. */
const EXTENSIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ['batch', ['jsonl']],
  ['fine-tune', ['jsonl']],
  ['evals', ['jsonl']],
  ['vision', ['png', 'jpg', 'jpeg', 'gif', 'webp']],
  ['assistants', DOCUMENTS.split(' ')],
]);

/** What comes behind the last dot, in lower case; empty if there is none. */
export function extensionOf(fileName: string): string {
  const dot = fileName.lastIndexOf('.');
  return dot === -1 ? '' : fileName.slice(dot + 1).toLowerCase();
}

/**
 * What speaks against a file before its content is looked at. With `check: 'off'` only an empty file is refused, which
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

function bytes(count: number): string {
  return `${count.toLocaleString('en')} bytes`;
}
