import { counted, formatDuration, formatTime } from '../contract/quantities.ts';
import { groupProblems, type Need, type ProblemGroup } from '../contract/attention.ts';
import { command } from '../contract/command.ts';
import type { Halt, HaltName, PathState } from '../contract/types.ts';
import type { BatchTotals } from '../contract/batch-report.ts';
import type { AppStatus, MirrorStatus, PathReport } from '../contract/report.ts';
import { printable } from '../contract/shown-text.ts';
import { batchFacts, batchProblems } from './batch-status-text.ts';
import { aligned, type Row } from './table.ts';

/** Of each state so many are named, by what they need; the others are counted. */
const mostProblems: Readonly<Record<Need, number>> = { person: 20, time: 5, nothing: 5 };

/** While one of these is in force, nothing is sent. */
const STOPS_ALL: ReadonlySet<Halt['name']> = new Set<HaltName>(['root', 'auth', 'scope', 'state']);

/** In the order in which they are shown. */
const stateOrder: readonly PathState[] = [
  'synced',
  'uploading',
  'pending',
  'settling',
  'deleting',
  'held',
  'failed',
  'rejected',
  'skipped',
  'expired',
  'kept',
  'ignored',
];

/** The state of a running mirror for people: what is halted comes first. `nowSeconds`: unix time. */
export function renderStatus(status: AppStatus, nowSeconds: number): string {
  const blocks = [
    status.halts.map((halt) => renderHalt(halt, nowSeconds)).join('\n\n'),
    aligned(factsOf(status, nowSeconds)),
    renderProblems(status.problems, status.problemGroups),
    batchProblems(status.batches),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

/** `HALTED mass-delete (batch), for 7 s` and what follows from it. */
export function renderHalt(halt: Halt, nowSeconds: number): string {
  const where = halt.folder === null ? '' : ` (${printable(halt.folder)})`;
  const forMs = Math.max(0, nowSeconds - halt.since) * 1000;
  return [
    `HALTED ${halt.name}${where}, for ${formatDuration(forMs)}`,
    ...aligned([
      ['  cause', printable(halt.cause)],
      ['  held', printable(halt.held)],
      ['  next', printable(halt.next)],
    ]).split('\n'),
  ].join('\n');
}

/**
 * `rejected  batch/a.jsonl: line 3 is not JSON`, one line each: what a person must see to first, some of every state,
 * and how many more there are of it. `groups`: when `problems` is only a part of them.
 */
export function renderProblems(
  problems: readonly PathReport[],
  groups: readonly ProblemGroup[] = groupProblems(problems, (each) => each, problems.length).groups,
): string {
  const lines = groups.flatMap((group): readonly Fact[] => {
    const shown = problems
      .filter(({ state, needs }) => state === group.state && needs === group.needs)
      .sort((a, b) => (a.path < b.path ? -1 : 1))
      .slice(0, mostProblems[group.needs]);
    const more = group.count - shown.length;
    return [
      ...shown.map(({ path, reason }): Fact => [
        group.state,
        `${printable(path)}${reason === null ? '' : `: ${printable(reason)}`}`,
      ]),
      ...(more > 0 ? [[group.state, `… and ${more} more; all of them: ${command('list')}`] as const] : []),
    ];
  });
  return aligned(lines);
}

/** What is known of a mirror that does not run, from its manifest alone. */
export interface LastKnownState {
  readonly version: 1;
  readonly running: false;
  /** A daemon that does not answer, or a verb such as `sync` that is at work; null: neither. */
  readonly process: {
    readonly pid: number | null;
    readonly verb: string | null;
    readonly answers: false;
    /** For people. */
    readonly text: string;
    /** What can be done about a daemon that does not answer. */
    readonly next: string | null;
  } | null;
  /** Null when nothing was mirrored yet. */
  readonly mirrorId: string | null;
  readonly files: number;
  readonly rejected: number;
  readonly openIntents: number;
  readonly garbage: number;
  readonly undeletable: number;
  readonly heldGarbage: number;
  readonly nextExpiry: MirrorStatus['nextExpiry'];
  readonly problems: MirrorStatus['problems'];
  readonly problemsTotal: number;
  readonly problemGroups: MirrorStatus['problemGroups'];
  readonly batches: BatchTotals;
}

/** `start`: how a daemon is started. */
export function renderLastKnown(state: LastKnownState, start: string, nowSeconds: number): string {
  const next = state.process?.next ?? null;
  const facts = aligned([
    ['mirror', state.mirrorId ?? `none yet; ${start}`],
    ['running', `${state.process?.text ?? 'no'}; this is what was recorded last`],
    ...(next === null ? [] : [['next', next] as const]),
    ['files', `${state.files} mirrored${state.rejected === 0 ? '' : `, ${state.rejected} rejected`}`],
    ...leftovers(state, state.process === null ? state.openIntents : 0),
    ...expiryFact(state.nextExpiry, nowSeconds),
    ...batchFacts(state.batches, nowSeconds),
  ]);
  const problems = renderProblems(state.problems, state.problemGroups);
  const blocks = [facts, problems, batchProblems(state.batches)].filter((block) => block !== '');
  return `${blocks.join('\n\n')}\n`;
}

type Fact = readonly [string, string];

function factsOf(status: AppStatus, nowSeconds: number): readonly Row[] {
  const { uploads } = status;
  const counts = stateOrder
    .filter((state) => status.counts[state] > 0)
    .map((state) => `${status.counts[state]} ${state}`);
  const window = uploads.limit === null ? '' : `, ${uploads.inWindow} of ${uploads.limit} in the last minute`;
  const pause =
    uploads.pause === null
      ? ''
      : `; ${printable(uploads.pause.why)}, resumes in ${formatDuration(uploads.pause.remainingMs)}`;
  return [
    ['mirror', `${printable(status.root)} -> ${printable(status.api)}`],
    ['running', `${phaseText(status)}; watching: ${status.watching}`],
    ['files', counts.length === 0 ? 'none' : counts.join(', ')],
    ['uploads', `${uploads.running} running, ${uploads.waiting} waiting${window}${pause}`],
    ...(status.waitingDeletes === 0 ? [] : [['deletes', `${status.waitingDeletes} waiting`] as const]),
    ...leftovers(status, status.unsureUploads),
    ...expiryFact(status.nextExpiry, nowSeconds),
    ...batchFacts(status.batches, nowSeconds),
    ['last scan', status.lastScanAt === null ? 'not yet' : agoText(status.lastScanAt, nowSeconds)],
    ...(status.lastVerifyAt === null
      ? []
      : [['verified', agoText(status.lastVerifyAt, nowSeconds)] as const]),
  ];
}

/** Paused or halted as a whole, it neither works nor rests. */
function phaseText({ phase, paused, halts }: MirrorStatus): string {
  if (phase === 'starting' || phase === 'stopping' || phase === 'stopped') return phase;
  if (paused) return 'paused';
  return halts.some(({ name, folder }) => folder === null && STOPS_ALL.has(name)) ? 'halted' : phase;
}

type Leftovers = Pick<MirrorStatus, 'garbage' | 'undeletable' | 'heldGarbage'>;

/** `unsure`: uploads that nobody is making now, and that may have arrived. */
function leftovers(state: Leftovers, unsure: number): readonly Fact[] {
  return [
    ...(unsure === 0 ? [] : [['unsure', `${counted(unsure, 'upload')} whose end is not known yet`] as const]),
    ...(state.garbage === 0
      ? []
      : [['garbage', `${counted(state.garbage, 'remote file')} still to be deleted`] as const]),
    ...(state.undeletable === 0
      ? []
      : [
          [
            'left',
            `${counted(state.undeletable, 'replaced remote file')} that this server cannot delete; see: ${command('orphans')}`,
          ] as const,
        ]),
    ...(state.heldGarbage === 0
      ? []
      : [['orphans', `${counted(state.heldGarbage, 'remote file')} kept aside`] as const]),
  ];
}

function expiryFact(next: MirrorStatus['nextExpiry'], nowSeconds: number): readonly Fact[] {
  if (next === null) return [];
  const remainingMs = (next.expiresAt - nowSeconds) * 1000;
  const when = remainingMs <= 0 ? 'has expired' : `in ${formatDuration(remainingMs)}`;
  return [['next expiry', `${printable(next.path)}, ${when} (${formatTime(next.expiresAt)})`]];
}

function agoText(unixSeconds: number, nowSeconds: number): string {
  return `${formatDuration(Math.max(0, nowSeconds - unixSeconds) * 1000)} ago`;
}
