/** The built program as a child process. `npm run build` first; `npm test` does. */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Another build may be named, e.g. that of an installed package. */
const PROGRAM =
  process.env['FILES_MIRROR_MAIN'] ?? fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
const RUN_TIMEOUT_MS = 60_000;
const EXIT_TIMEOUT_MS = 40_000;

export interface ProgramOptions {
  /** The whole environment but `PATH`: nothing of the test runner's own gets through. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** What Node runs. Default: the built program. */
  readonly program?: string;
  /** Capabilities that are taken from it, for permissions to mean something to a superuser, e.g. `dac_override`. */
  readonly withoutCapabilities?: readonly string[];
}

export interface Exit {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that runs. */
export class RunningProgram {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';

  constructor(
    args: readonly string[],
    { env, cwd, program = PROGRAM, withoutCapabilities = [] }: ProgramOptions,
  ) {
    const dropped = withoutCapabilities.map((name) => `-${name}`).join(',');
    const command = [
      ...(dropped === '' ? [] : ['setpriv', `--bounding-set=${dropped}`]),
      process.execPath,
      program,
      ...args,
    ];
    const [file = '', ...rest] = command;
    const PATH = process.env['PATH'] ?? '';
    this.#child = spawn(file, rest, { cwd, env: { PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.pid = this.#child.pid ?? -1;
    this.exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) =>
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr }),
      );
    });
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What it wrote to stderr so far: a daemon's log, one JSON object a line. */
  get log(): string {
    return this.#stderr;
  }

  /** What it wrote to stdout so far. */
  get output(): string {
    return this.#stdout;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** How it ended. Kills it and throws when it does not end in time. */
  async exit(timeoutMs = EXIT_TIMEOUT_MS): Promise<Exit> {
    const timer = Promise.withResolvers<never>();
    const timeout = setTimeout(() => {
      timer.reject(new Error(`the program did not end within ${timeoutMs} ms; its log:\n${this.#stderr}`));
      this.signal('SIGKILL');
    }, timeoutMs);
    try {
      return await Promise.race([this.exited, timer.promise]);
    } finally {
      clearTimeout(timeout);
    }
  }
}

/** Runs one command line to its end. */
export async function runProgram(args: readonly string[], options: ProgramOptions): Promise<Exit> {
  return await new RunningProgram(args, options).exit(RUN_TIMEOUT_MS);
}
