import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 20;
/** `/proc/<pid>/stat` counts processor time in these; fixed by the kernel's interface to programs. */
const TICKS_PER_SECOND = 100;

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface ProcessCost {
  /** From the start of the process to its exit. */
  readonly wallMs: number;
  /** User and system time of all its threads. */
  readonly cpuMs: number;
  readonly peakRssBytes: number;
}

export interface FinishedProcess extends ProcessCost {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command to its end. Throws when it fails, with what it said. Memory and processor time are polled from
 * `/proc` (the kernel keeps the peak itself), so at most the last 20 ms are missing.
 */
export async function runMeasured(
  command: Command,
  acceptedExitCodes: readonly number[] = [0],
): Promise<FinishedProcess> {
  const child = start(command);
  const output = collect(child);
  const ended = once(child, 'close') as Promise<[number | null]>;
  const startedMs = performance.now();
  let cost: Omit<ProcessCost, 'wallMs'> = { cpuMs: 0, peakRssBytes: 0 };
  let endedMs: number | null = null;
  child.once('exit', () => (endedMs = performance.now()));
  while (child.exitCode === null && child.signalCode === null) {
    cost = costOf(child.pid) ?? cost;
    await Promise.race([ended, sleep(POLL_MS)]);
  }
  const [exitCode] = await ended;
  const { stdout, stderr } = output();
  if (!acceptedExitCodes.includes(exitCode ?? -1)) {
    throw new Error(
      `${command.file} ${command.args.join(' ')}: exit ${exitCode ?? child.signalCode}\n${(stderr || stdout).slice(-2000)}`,
    );
  }
  return { exitCode, stdout, stderr, wallMs: (endedMs ?? performance.now()) - startedMs, ...cost };
}

/** `stdin` `pipe`: the child is told that this process is gone by the end of its input. */
export function start(
  { file, args, cwd, env = {} }: Command,
  stdin: 'ignore' | 'pipe' = 'ignore',
  channel: readonly 'ipc'[] = [],
): ChildProcess {
  return spawn(file, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
    stdio: [stdin, 'pipe', 'pipe', ...channel],
  });
}

/** What a running process has cost so far; null when there is none any more. */
export function costOf(pid: number | undefined): Omit<ProcessCost, 'wallMs'> | null {
  try {
    const peakKb = /^VmHWM:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    if (peakKb === undefined) return null;
    return { cpuMs: cpuMsOf(pid), peakRssBytes: Number(peakKb) * 1024 };
  } catch {
    return null;
  }
}

/** What a running process holds in memory right now. */
export function rssBytesOf(pid: number | undefined): number {
  const kb = /^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kb) * 1024;
}

/**
 * Processor time of the threads that a process has now, to the nanosecond. `/proc/<pid>/stat` counts ticks that
 * found the process running, which says little about one that works for a fraction of a tick now and then.
 */
export function threadTimeMsOf(pid: number | undefined): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const times = threads.map(
    (thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0],
  );
  return times.reduce((sum, nanoseconds) => sum + Number(nanoseconds), 0) / 1e6;
}

/** What part of a core a process uses over this time, in percent. */
export async function busyPercent(pid: number | undefined, overMs: number): Promise<number> {
  const startedMs = performance.now();
  const before = threadTimeMsOf(pid);
  await sleep(overMs);
  return ((threadTimeMsOf(pid) - before) / (performance.now() - startedMs)) * 100;
}

/** Waits until a process has used next to nothing for three seconds; one that never rests is waited for two minutes. */
export async function untilQuiet(pid: number | undefined): Promise<void> {
  for (let waited = 0; waited < 40; waited++) if ((await busyPercent(pid, 3_000)) < 2) return;
}

function cpuMsOf(pid: number | undefined): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the name in parentheses, which may hold spaces; user and system time are 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

function collect(child: ChildProcess): () => { readonly stdout: string; readonly stderr: string } {
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => (texts[name] += text));
  }
  return () => texts;
}
