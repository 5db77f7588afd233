import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { LongestTurn } from './probed-process.ts';
import { type Command, runMeasured, start, type FinishedProcess } from './measured-process.ts';

const builtProgram = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));

const probe = new URL('probed-process.ts', import.meta.url).href;

/** The built program, or the one that `--program` names: another build, to compare with. */
let program = builtProgram;

export function useProgram(path: string): void {
  program = resolve(path);
}

export interface MirrorHome {
  readonly root: string;
  readonly stateDir: string;
  readonly baseUrl: string;
  /** Sections of the configuration that differ from the defaults. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** `files-mirror <verb>` to its end, measured. */
export async function runVerb(verb: readonly string[], home: MirrorHome): Promise<FinishedProcess> {
  return await runMeasured(await verbCommand(verb, home));
}

/** A `files-mirror run`, until `stop`. */
export class Daemon {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #events: LogEvent[] = [];
  readonly #news = new EventTarget();

  private constructor(child: ChildProcess) {
    if (child.stderr === null) throw new TypeError('the daemon has no log');
    this.#child = child;
    child.stdout?.resume();
    this.#lines = createInterface(child.stderr);
    this.#lines.on('line', (line) => {
      this.#events.push(JSON.parse(line) as LogEvent);
      this.#news.dispatchEvent(new Event('line'));
    });
  }

  static async start(home: MirrorHome): Promise<Daemon> {
    return new Daemon(start(await verbCommand(['run', '--init'], home)));
  }

  /** One whose loop is watched: see `longestTurn`. That costs some percent of a core. */
  static async startProbed(home: MirrorHome): Promise<Daemon> {
    const command = await verbCommand(['run', '--init'], home);
    return new Daemon(start({ ...command, args: ['--import', probe, ...command.args] }, 'ignore', ['ipc']));
  }

  /** The longest turn of the loop since the last call. */
  async longestTurn(): Promise<LongestTurn> {
    this.#child.send('longest');
    const [turn] = (await once(this.#child, 'message')) as [LongestTurn];
    return turn;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The next event of this kind, or one that was logged before and not yet taken. */
  async take(event: string): Promise<LogEvent> {
    for (;;) {
      const index = this.#events.findIndex((each) => each.event === event);
      if (index !== -1) return this.#events.splice(index, 1)[0] as LogEvent;
      if (this.#child.exitCode !== null)
        throw new Error(`the daemon ended (${this.#child.exitCode}) before: ${event}`);
      await once(this.#news, 'line');
    }
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }
}

/** A line of the log, as JSON. */
export interface LogEvent {
  readonly event?: string;
  readonly msg: string;
  readonly tookMs?: number;
}

/** The program's settings: no window, and files that are quiet count as settled. */
export const UNLIMITED = { limits: { uploadsPerMinute: null } } as const;

/** `files-mirror <verb>` with the configuration of this home. */
export async function verbCommand(verb: readonly string[], home: MirrorHome): Promise<Command> {
  const { root, stateDir, baseUrl, settings = {} } = home;
  await mkdir(stateDir, { recursive: true });
  const file = join(stateDir, 'bench-config.json');
  await writeFile(file, JSON.stringify({ root, stateDir, api: { baseUrl }, ...settings }));
  return {
    file: process.execPath,
    args: [program, ...verb, '--config', file],
    env: { OPENAI_API_KEY: 'sk-bench' },
  };
}
