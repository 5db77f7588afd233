import type { ListDoubt } from './ports.ts';

/** What a listing left open, for a person: one line a kind, with how often and the field. Pure. */
export function doubtLines(doubts: readonly ListDoubt[]): readonly string[] {
  const counts = new Map<string, number>();
  const lines: string[] = [];
  for (const doubt of doubts) {
    if (doubt.kind === 'cut') lines.push(`the API's listing cannot be read to its end: ${doubt.why}`);
    else counts.set(doubt.problem, (counts.get(doubt.problem) ?? 0) + 1);
  }
  for (const [problem, count] of counts) {
    const what = count === 1 ? '1 entry' : `${count} entries`;
    lines.push(
      `${what} of the API's listing cannot be read (${problem}) and ${count === 1 ? 'is' : 'are'} left out`,
    );
  }
  return lines;
}
