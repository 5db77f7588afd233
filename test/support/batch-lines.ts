/** Files of requests for tests, and what comes of them. */
import type { Emulator } from './faulty-emulator.ts';

/** What a line asks of the emulator (`src/emulator/line-instructions.ts`), e.g. `error-429`, `once-error-500`, `missing`. */
export type Trouble = string;

export interface LineOptions {
  readonly url?: string;
  readonly model?: string;
  readonly text?: string;
  readonly trouble?: Trouble;
}

/** One chat request, with its line break. */
export function requestLine(customId: string, options: LineOptions = {}): string {
  const {
    url = '/v1/chat/completions',
    model = 'gpt-test',
    text = `question ${customId}`,
    trouble,
  } = options;
  const metadata = trouble === undefined ? {} : { metadata: { emulator: trouble } };
  const body = { model, messages: [{ role: 'user', content: text }], ...metadata };
  return `${JSON.stringify({ custom_id: customId, method: 'POST', url, body })}\n`;
}

/** `line-1` to `line-COUNT`. `troubles`: by the number of the line. */
export function requestLines(
  count: number,
  troubles: Readonly<Record<number, Trouble>> = {},
  options: LineOptions = {},
): string {
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  const line = (number: number): string => {
    const trouble = troubles[number];
    return requestLine(`line-${number}`, trouble === undefined ? options : { ...options, trouble });
  };
  return numbers.map(line).join('');
}

export interface AnswerLine {
  readonly id: string;
  readonly custom_id: string;
  readonly response: {
    readonly status_code: number;
    readonly body: Readonly<Record<string, unknown>>;
  } | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** The lines of a result file, as they are. */
export async function answerLines(emulator: Emulator, fileId: string): Promise<readonly AnswerLine[]> {
  const content = await emulator.store.content(fileId);
  if (content === null) throw new Error(`no such file: ${fileId}`);
  const lines = content.toString('utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as AnswerLine);
}
