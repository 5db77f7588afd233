import { UsageError } from './verb.ts';
import { leavesWork } from '../contract/attention.ts';
import { Fault } from '../contract/faults.ts';
import type { FlushResult } from '../contract/report.ts';
import type { Halt } from '../contract/types.ts';
import { StopRequest } from '../service/signals.ts';

/** What the process ends with; the numbers from 64 on are those of sysexits.h. */
export const exitCode = {
  done: 0,
  /** Some files failed or were rejected; or what was asked for is not there. */
  someFailed: 1,
  pending: 2,
  notRunning: 3,
  halted: 5,
  locked: 6,
  usage: 64,
  unreachable: 69,
  internal: 70,
  auth: 77,
  config: 78,
  /** Broken off by Ctrl-C; 128 and the number of the signal, as a shell has it. */
  interrupted: 130,
  /** `SIGTERM`; a daemon that ends in time ends with 0. */
  terminated: 143,
} as const;

/** Faults that are named by their rule; all others go by what they halt and by their disposition. */
const byRule: ReadonlyMap<string, number> = new Map([
  ['locked', exitCode.locked],
  ['not-running', exitCode.notRunning],
  ['connection', exitCode.notRunning],
  ['no-answer', exitCode.notRunning],
  ['stopping', exitCode.notRunning],
  ['wait-timeout', exitCode.someFailed],
  ['no-entry', exitCode.someFailed],
  ['bad-request', exitCode.usage],
  ['internal', exitCode.internal],
  ['config', exitCode.config],
  ['manifest', exitCode.config],
  ['state', exitCode.config],
]);

/** Known failures have a code of their own; everything else is a defect of ours. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCode.usage;
  if (error instanceof StopRequest) return error.exitCode;
  if (!(error instanceof Fault)) return exitCode.internal;
  const named = byRule.get(error.rule);
  if (named !== undefined) return named;
  if (error.halt === 'auth') return exitCode.auth;
  if (error.halt === 'state') return exitCode.config;
  if (error.halt !== undefined) return exitCode.halted;
  // It can be reached: it answered, and refused what was asked for (no such file, no content for this purpose).
  if (error.rule.startsWith('server-4')) return exitCode.someFailed;
  if (error.disposition === 'retry') return exitCode.unreachable;
  return error.disposition === 'skip' ? exitCode.someFailed : exitCode.internal;
}

/** A halt weighs more than single files: it is what needs a person. */
export function exitCodeOfResult(result: FlushResult): number {
  const failed = result.problems.some(leavesWork);
  return exitCodeOfHalts(result.halts) || (failed ? exitCode.someFailed : exitCode.done);
}

export function exitCodeOfHalts(halts: readonly Halt[]): number {
  if (halts.some(({ name }) => name === 'auth')) return exitCode.auth;
  return halts.length > 0 ? exitCode.halted : exitCode.done;
}
