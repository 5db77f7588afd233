/** `batches.maxPerDay`: what a day of local time may use. Pure, but for the time zone of the process. */
import type { BatchMemory, BatchRecord } from '../contract/batch.ts';
import type { BatchSettings } from '../contract/batch-settings.ts';

type Limits = BatchSettings['maxPerDay'];
type Today = NonNullable<BatchMemory['today']>;
type Measure = 'jobs' | 'requests' | 'inputTokens';

const MEASURES: readonly Measure[] = ['jobs', 'requests', 'inputTokens'];
const WORDS: Readonly<Record<Measure, string>> = {
  jobs: 'batches',
  requests: 'requests',
  inputTokens: 'input tokens',
};

/** E.g. `2026-11-25`, where this process lives. */
export function dateOf(now: number): string {
  const day = new Date(now * 1_000);
  const two = (part: number): string => String(part).padStart(2, '0');
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

/** Unix seconds: when the next day begins. */
export function nextDayAt(now: number): number {
  const day = new Date(now * 1_000);
  return Math.floor(new Date(day.getFullYear(), day.getMonth(), day.getDate() + 1).getTime() / 1_000);
}

/** What the day has used. A day that a clock set back puts ahead is still this one, with all that it used. */
function usedToday({ today }: BatchMemory, now: number): Today {
  const date = dateOf(now);
  if (today === null || today.date < date) return { date, jobs: 0, requests: 0, inputTokens: 0 };
  return { ...today, date };
}

/** Each submission counts once a day: what its queue refused and what is sent again under the same UUID cost once. */
function costOf({ file, countedOn }: BatchRecord, date: string): Readonly<Record<Measure, number>> {
  if (countedOn !== null && countedOn >= date) return { jobs: 0, requests: 0, inputTokens: 0 };
  return { jobs: 1, requests: file?.requests ?? 0, inputTokens: file?.inputTokens ?? 0 };
}

/** The day after this submission. */
export function dayOf(memory: BatchMemory, now: number, record: BatchRecord): Today {
  const used = usedToday(memory, now);
  const cost = costOf(record, used.date);
  return {
    date: used.date,
    jobs: used.jobs + cost.jobs,
    requests: used.requests + cost.requests,
    inputTokens: used.inputTokens + cost.inputTokens,
  };
}

/** What of the day's budget it would pass; null: nothing. */
export function budgetAgainst(
  record: BatchRecord,
  memory: BatchMemory,
  limits: Limits,
  now: number,
): { readonly why: 'budget'; readonly text: string; readonly until: number | null } | null {
  const used = usedToday(memory, now);
  const cost = costOf(record, used.date);
  for (const measure of MEASURES) {
    const limit = limits[measure];
    if (limit === null || cost[measure] === 0 || used[measure] + cost[measure] <= limit) continue;
    const words = WORDS[measure];
    const name = `batches.maxPerDay.${measure} (${limit})`;
    if (cost[measure] > limit) {
      return {
        why: 'budget',
        text: `its ${cost[measure]} ${words} alone are more than ${name}`,
        until: null,
      };
    }
    const text = `${used[measure]} ${words} of ${used.date} are used, and its ${cost[measure]} would pass ${name}`;
    return { why: 'budget', text, until: nextDayAt(now) };
  }
  return null;
}
