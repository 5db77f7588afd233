/**
 * How a line of a batch asks the emulator for trouble: `"metadata": { "emulator": "…" }` in its body.
 * `error-STATUS`: answered with that status and the API's error body, in the error file. `error-0`: status 0 and an empty
 * body. `timeout`: no response, and the error `request_timeout`. `missing`: in neither file. `twice`: answered twice.
 * `stranger`: besides its answer there is one for a `custom_id` that nobody asked for. `bytes-N`: an answer whose text has N bytes.
 * With `once-` ahead it holds for the first batch with this `custom_id` only, so that another try succeeds.
 */
export interface Instruction {
  readonly kind: 'none' | 'error' | 'timeout' | 'missing' | 'twice' | 'stranger' | 'bytes';
  /** The status, or the number of bytes. */
  readonly value: number;
  readonly once: boolean;
  /** True: it ends in the error file. */
  readonly fails: boolean;
}

export const NONE: Instruction = { kind: 'none', value: 0, once: false, fails: false };

export function instructionOf(body: Readonly<Record<string, unknown>>): Instruction {
  const { metadata } = body as { readonly metadata?: { readonly emulator?: unknown } | null };
  const text = metadata?.emulator;
  if (typeof text !== 'string') return NONE;
  const match = /^(once-)?(error|timeout|missing|twice|stranger|bytes)(?:-(\d{1,9}))?$/.exec(text);
  if (match === null) return NONE;
  const kind = match[2] as Instruction['kind'];
  const fails = kind === 'error' || kind === 'timeout';
  return { kind, value: Number(match[3] ?? 0), once: match[1] !== undefined, fails };
}
