/**
 * What holds a submission back, so that no mistake becomes a bill. Pure. INVARIANT: what is counted is counted durably
 * before its POST, so a restart passes no guard.
 */
import type { BatchHoldReason, BatchMemory, BatchRecord, SubmissionId } from '../contract/batch.ts';
import type { BatchSettings } from '../contract/batch-settings.ts';
import { counted } from '../contract/quantities.ts';
import { folderOf } from '../contract/mirror-path.ts';
import { saidOf } from './batch-status.ts';
import { budgetAgainst, dayOf } from './day-budget.ts';

const HOUR = 3_600;
/** A hold that waits longer than any of ours can is one of a clock that was set back since. */
const LONGEST_HOLD = 3_600;

export interface Hold {
  readonly why: BatchHoldReason;
  readonly text: string;
  readonly until: number | null;
}

type Identified = readonly [SubmissionId, BatchRecord];

export interface GuardInput {
  readonly wanted: readonly Identified[];
  /** Submitting, open or settled: the API may have them. */
  readonly begun: readonly BatchRecord[];
  readonly memory: BatchMemory;
  readonly settings: BatchSettings;
  /** Unix seconds by the local clock. */
  readonly now: number;
  /** What holds all of them: paused, no quota, no access, a server that is away. */
  readonly all: Hold | null;
}

export interface GuardVerdict {
  /** The one that may go now. The next one is judged after it was counted. */
  readonly go: SubmissionId | null;
  readonly holds: ReadonlyMap<SubmissionId, Hold>;
  /** A flood: these are to be held durably until a person approves. */
  readonly flood: readonly SubmissionId[];
}

export function guardSubmissions(input: GuardInput): GuardVerdict {
  const holds = new Map<SubmissionId, Hold>();
  const ordered = input.wanted.toSorted(([, a], [, b]) => turnOf(a) - turnOf(b) || a.wantedAt - b.wantedAt);
  const flood = floodOf(ordered, input);
  const inFlood = new Set(flood);
  const shared = sharedHold(input);
  const models = busyModels(input);
  let go: SubmissionId | null = null;
  for (const [id, record] of ordered) {
    const hold =
      offHold(record, input.settings) ??
      input.all ??
      (inFlood.has(id) ? floodHold(flood.length, input) : null) ??
      ownHold(record, input.now) ??
      modelHold(record, models) ??
      shared ??
      budgetAgainst(record, input.memory, input.settings.maxPerDay, input.now);
    if (hold !== null) holds.set(id, hold);
    else go ??= id;
  }
  return { go, holds, flood };
}

/** By hand first, then lines that are tried again, then what came first. */
function turnOf({ byHand, generation }: BatchRecord): number {
  if (byHand) return 0;
  return generation > 0 ? 1 : 2;
}

export function submitsByItself(record: BatchRecord, { submitFolders }: BatchSettings): boolean {
  return submitFolders.has(folderOf(record.path)) && !record.leftAlone;
}

function offHold(record: BatchRecord, settings: BatchSettings): Hold | null {
  // Lines that are tried again belong to a batch that ran.
  if (record.byHand || record.generation > 0 || submitsByItself(record, settings)) return null;
  if (record.leftAlone) return LEFT_ALONE;
  return { why: 'off', text: 'submitting is switched off for its folder', until: null };
}

export const LEFT_ALONE: Hold = {
  why: 'off',
  text: 'it was there before submitting was switched on',
  until: null,
};

/** Whether the flood guard counts it: nobody asked for it, and it was never counted before. */
export function isFresh(record: BatchRecord): boolean {
  return !record.byHand && !record.approved && record.generation === 0 && record.countedOn === null;
}

/**
 * INVARIANT: those that were held as a flood stay held until a person approves, and so does what comes after them:
 * neither time nor a restart lets them go.
 */
function floodOf(ordered: readonly Identified[], input: GuardInput): SubmissionId[] {
  const { settings, memory, now } = input;
  const fresh = ordered.filter(([, record]) => isFresh(record) && submitsByItself(record, settings));
  const wasHeld = fresh.some(([, { hold }]) => hold?.why === 'approval');
  const inHour = createsOfHour(memory, now).fresh + fresh.length;
  return wasHeld || inHour > settings.maxAtOnce ? fresh.map(([id]) => id) : [];
}

function floodHold(waiting: number, { memory, settings, now }: GuardInput): Hold {
  const went = createsOfHour(memory, now).fresh;
  const before = went === 0 ? '' : ` after ${went} in the last hour`;
  const text = `${counted(waiting, 'new submission')}${before}, more than batches.maxAtOnce (${settings.maxAtOnce}): approve --submits lets them go`;
  return { why: 'approval', text, until: null };
}

function ownHold({ hold }: BatchRecord, now: number): Hold | null {
  if (hold === null || hold.until === null || hold.why === 'approval') return null;
  return now < hold.until && hold.until <= now + LONGEST_HOLD ? hold : null;
}

interface Models {
  /** Their queue was full. */
  readonly full: ReadonlyMap<string, Hold>;
  /** One of theirs finds out whether there is room again. */
  readonly tried: ReadonlySet<string>;
}

function busyModels({ wanted, begun, now }: GuardInput): Models {
  const full = new Map<string, Hold>();
  for (const [, record] of wanted) {
    const hold = ownHold(record, now);
    const model = record.file?.model ?? null;
    if (hold?.why === 'queue' && model !== null) full.set(model, hold);
  }
  const tried = new Set<string>();
  for (const record of begun) {
    const model = record.file?.model ?? null;
    const isTrying =
      record.state === 'submitting' || (record.state === 'open' && saidOf(record.batch) === 'validating');
    if (record.attempt > 1 && model !== null && isTrying) tried.add(model);
  }
  return { full, tried };
}

function modelHold({ file }: BatchRecord, { full, tried }: Models): Hold | null {
  const model = file?.model ?? null;
  if (model === null) return null;
  const hold = full.get(model);
  if (hold !== undefined) return { ...hold, text: `the queue of ${model} at the API is full` };
  if (!tried.has(model)) return null;
  return { why: 'queue', text: `another one finds out whether the queue of ${model} has room`, until: null };
}

/** What holds all that would go now. */
function sharedHold({ begun, memory, settings, now }: GuardInput): Hold | null {
  const open = begun.filter(({ state }) => state !== 'settled').length;
  if (open >= settings.maxOpen) {
    return { why: 'queue', text: `batches.maxOpen (${settings.maxOpen}) are open`, until: null };
  }
  return createsHold(memory, settings.perHour, now);
}

/** The limit of creates an hour, which second POSTs of one submission heed too. */
export function createsHold(memory: BatchMemory, perHour: number, now: number): Hold | null {
  const { count, firstAt } = createsOfHour(memory, now);
  if (count < perHour) return null;
  const until = (firstAt ?? now) + HOUR + 60;
  return { why: 'queue', text: `batches.perHour (${perHour}) are created`, until };
}

interface CreatesOfHour {
  readonly count: number;
  readonly fresh: number;
  readonly firstAt: number | null;
}

/** A minute counts as long as any moment of it is within the hour; so does one that a clock set back puts ahead. */
function createsOfHour({ creates }: BatchMemory, now: number): CreatesOfHour {
  const recent = creates.filter(({ at }) => at + 60 > now - HOUR);
  return {
    count: recent.reduce((sum, each) => sum + each.count, 0),
    fresh: recent.reduce((sum, each) => sum + each.fresh, 0),
    firstAt: recent[0]?.at ?? null,
  };
}

/** The memory with one POST more; to be durable before it. */
export function countCreate(memory: BatchMemory, record: BatchRecord, now: number): BatchMemory {
  const at = Math.floor(now / 60) * 60;
  const recent = memory.creates.filter((each) => each.at + 60 > now - HOUR);
  const minute = recent.find((each) => each.at === at) ?? { at, count: 0, fresh: 0 };
  const next = { at, count: minute.count + 1, fresh: minute.fresh + (isFresh(record) ? 1 : 0) };
  const creates = [...recent.filter((each) => each.at !== at), next].sort((a, b) => a.at - b.at);
  return { ...memory, creates, today: dayOf(memory, now, record) };
}

/** What a clock that was set back puts ahead happened now: else it would be counted until that time comes again. */
export function setBack(memory: BatchMemory, now: number): BatchMemory {
  const at = Math.floor(now / 60) * 60;
  if (!memory.creates.some((each) => each.at > at + 60)) return memory;
  const past = memory.creates.filter((each) => each.at < at);
  const rest = memory.creates.filter((each) => each.at >= at);
  const sum = (key: 'count' | 'fresh'): number => rest.reduce((total, each) => total + each[key], 0);
  return { ...memory, creates: [...past, { at, count: sum('count'), fresh: sum('fresh') }] };
}
