/**
 * A whole mirror for black-box tests: the built program, a real temporary folder, and the emulator in this process.
 *
 *     test('…', async (context) => {
 *       const mirror = await openTestMirror(context, { config: { watch: { rescanSeconds: 1 } } });
 *       await mirror.write('batch/a.jsonl', batchFile(1));
 *       await mirror.start();
 *       await mirror.expectConverged({ posts: 1, deletes: 0 });   // flush, then the oracle
 *     });
 *
 * Everything is taken down when the test ends; what the daemon logged is printed when it fails. `emulator.faults`
 * makes the server fail. `expectConverged` asks for a flush, which scans; `untilConverged` only watches, and so
 * proves that the mirror notices by itself. The configuration is a fast one (`fast-config.ts`), rescans and verification
 * off; `config` is merged over it, key by key.
 */
import { mkdir, mkdtemp, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, vi, type TestContext } from 'vitest';
import { startEmulator, type Emulator, type EmulatorOptions } from '../faulty-emulator.ts';
import type { FlushResult, MirrorStatus, PathReport } from '../../../src/contract/report.ts';
import { connectDaemon, type DaemonClient, type Patience } from '../../../src/service/control-client.ts';
import { fastConfig, type TestConfig } from './fast-config.ts';
import { DigestCache, differences, type Expectation } from './oracle.ts';
import { RunningProgram, runProgram, type Exit, type ProgramOptions } from './program.ts';
import { removeFolder } from './remove-folder.ts';

export type { TestConfig };

/** For a whole test. On an idle machine each takes a few seconds; this is for one that is busy otherwise. */
export const SCENARIO_TIMEOUT_MS = 90_000;
// Every test of a file that imports this: shorter, and the waits below would never get to say what they waited for.
vi.setConfig({ testTimeout: SCENARIO_TIMEOUT_MS });

export const TEST_KEY = 'sk-test-black-box-0123456789';

/** Two cores may be shared by ten daemons that start together. */
const START_TIMEOUT_MS = 30_000;
const FLUSH_TIMEOUT_MS = 40_000;
const POLL_TIMEOUT_MS = 40_000;
const POLL_MS = 50;
/** On a machine that is busy otherwise a daemon may be slow to answer. */
const PATIENT: Patience = { connectMs: 30_000, answerMs: 60_000, beatMs: 5_000 };

export interface TestMirrorOptions {
  /** Merged over the fast settings, key by key. `root` and `stateDir` are the harness's own. */
  readonly config?: TestConfig;
  readonly emulator?: EmulatorOptions;
  /** More environment for the program. */
  readonly env?: Readonly<Record<string, string>>;
  readonly withoutCapabilities?: readonly string[];
}

/** What is expected, and how often the server was asked for it since the log was last cleared. */
export interface ConvergedExpectation extends Expectation {
  /** Attempts to upload. */
  readonly posts?: number;
  readonly deletes?: number;
}

/** How a `sync --json` ended, and what it printed. */
export type SyncResult = Exit & { readonly result: FlushResult };

export async function openTestMirror(
  context: TestContext,
  options: TestMirrorOptions = {},
): Promise<TestMirror> {
  const folder = await mkdtemp(join(tmpdir(), 'mirror-'));
  const emulator = await startEmulator(options.emulator);
  const mirror = new TestMirror(folder, emulator, options);
  context.onTestFailed(() => mirror.printLogs());
  context.onTestFinished(() => mirror.close());
  await mkdir(mirror.root);
  await mirror.configure(options.config ?? {});
  return mirror;
}

export class TestMirror {
  /** Holds everything of this mirror. */
  readonly folder: string;
  readonly root: string;
  readonly stateDir: string;
  readonly configFile: string;
  readonly emulator: Emulator;
  readonly #options: ProgramOptions;
  readonly #digests = new DigestCache();
  /** Ids of files that somebody else put there. */
  readonly #foreign = new Set<string>();
  readonly #daemons: RunningProgram[] = [];
  readonly #begun: RunningProgram[] = [];

  constructor(folder: string, emulator: Emulator, { env = {}, withoutCapabilities = [] }: TestMirrorOptions) {
    this.folder = folder;
    this.root = join(folder, 'root');
    this.stateDir = join(folder, 'state');
    this.configFile = join(folder, 'config.json');
    this.emulator = emulator;
    this.#options = {
      env: { HOME: folder, OPENAI_BASE_URL: emulator.url, OPENAI_API_KEY: TEST_KEY, ...env },
      cwd: folder,
      withoutCapabilities,
    };
  }

  /** Writes the configuration anew: `config` over the fast settings, key by key. */
  async configure(config: TestConfig): Promise<void> {
    const places = { root: this.root, stateDir: this.stateDir };
    await writeFile(this.configFile, JSON.stringify({ ...fastConfig(config), ...places }));
  }

  /** The absolute path of a mirror path. */
  at(path: string): string {
    return join(this.root, path);
  }

  /** Writes a file in one go, its folders included. */
  async write(path: string, content: string | Uint8Array): Promise<void> {
    await mkdir(dirname(this.at(path)), { recursive: true });
    await writeFile(this.at(path), content);
  }

  /** Renames a file or folder, the folders above its new place included. */
  async rename(from: string, to: string): Promise<void> {
    await mkdir(dirname(this.at(to)), { recursive: true });
    await rename(this.at(from), this.at(to));
  }

  /** Starts the daemon and waits until it can be asked. */
  async start(): Promise<void> {
    const daemon = this.launch();
    const deadlineMs = performance.now() + START_TIMEOUT_MS;
    while ((await connectDaemon(this.stateDir, PATIENT)) === null) {
      if (!daemon.isRunning) {
        throw new Error(`the daemon ended with ${(await daemon.exited).code}:\n${daemon.log}`);
      }
      if (performance.now() > deadlineMs) throw new Error(`the daemon does not answer:\n${daemon.log}`);
      await sleep(POLL_MS);
    }
  }

  /** Starts the daemon and waits for nothing. */
  launch(): RunningProgram {
    const daemon = new RunningProgram(['run', '--config', this.configFile], this.#options);
    this.#daemons.push(daemon);
    return daemon;
  }

  /** The daemon that was started last. */
  get process(): RunningProgram {
    const daemon = this.#daemons.at(-1);
    if (daemon === undefined) throw new Error('no daemon was started');
    return daemon;
  }

  get isRunning(): boolean {
    return this.#daemons.at(-1)?.isRunning ?? false;
  }

  /** Everything that daemons of this mirror logged. */
  get logs(): string {
    return this.#daemons.map((daemon) => daemon.log).join('\n');
  }

  /** SIGTERM; it must end with 0. */
  async stop(): Promise<Exit> {
    this.process.signal('SIGTERM');
    const exit = await this.process.exit();
    expect(exit, 'how the daemon ended after SIGTERM').toMatchObject({ code: 0 });
    return exit;
  }

  async kill9(): Promise<void> {
    this.process.signal('SIGKILL');
    await this.process.exit();
  }

  /** The running daemon's control socket. */
  async daemon(): Promise<DaemonClient> {
    const client = await connectDaemon(this.stateDir, PATIENT);
    if (client === null) throw new Error(`no daemon runs; the log:\n${this.logs}`);
    return client;
  }

  async flush(timeoutMs = FLUSH_TIMEOUT_MS): Promise<FlushResult> {
    return await (await this.daemon()).flush(timeoutMs);
  }

  async status(): Promise<MirrorStatus> {
    return await (await this.daemon()).status();
  }

  async report(path: string): Promise<PathReport | null> {
    return await (await this.daemon()).report(path);
  }

  /** Waits until the folders are there and native watching has begun: from then on no scan is needed. */
  async untilWatching(): Promise<void> {
    await this.untilStatus(({ watching, lastScanAt }) => watching === 'native' && lastScanAt !== null);
  }

  /** Polls the daemon's status until it is as wanted; throws with the last one when that takes too long. */
  async untilStatus(
    is: (status: MirrorStatus) => boolean,
    timeoutMs = POLL_TIMEOUT_MS,
  ): Promise<MirrorStatus> {
    return await this.until(() => this.status(), is, timeoutMs);
  }

  /** Polls the report of one path until it is as wanted. */
  async untilReport(
    path: string,
    is: (report: PathReport | null) => boolean,
    timeoutMs = POLL_TIMEOUT_MS,
  ): Promise<PathReport | null> {
    return await this.until(() => this.report(path), is, timeoutMs);
  }

  /** Polls until `is` agrees; throws with what there was last when that takes too long. */
  async until<T>(
    look: () => T | Promise<T>,
    is: (value: T) => boolean,
    timeoutMs = POLL_TIMEOUT_MS,
  ): Promise<T> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const value = await look();
      if (is(value)) return value;
      if (performance.now() > deadlineMs) {
        throw new Error(
          `not so within ${timeoutMs} ms: ${is.toString()}\nlast: ${JSON.stringify(value, null, 1)}`,
        );
      }
      await sleep(POLL_MS);
    }
  }

  /** What `list --json` says: of the daemon, or of the manifest when none runs. */
  async list(): Promise<readonly PathReport[]> {
    if (this.isRunning) {
      const reports: PathReport[] = [];
      for await (const report of (await this.daemon()).list()) reports.push(report);
      return reports;
    }
    const { stdout } = await this.run('list', '--json');
    return JSON.parse(stdout) as PathReport[];
  }

  /** Runs a verb with this mirror's configuration. */
  async run(verb: string, ...args: readonly string[]): Promise<Exit> {
    return await runProgram([verb, '--config', this.configFile, ...args], this.#options);
  }

  /** Begins a verb with this mirror's configuration, and waits for nothing. It is ended with the test. */
  begin(verb: string, ...args: readonly string[]): RunningProgram {
    const program = new RunningProgram([verb, '--config', this.configFile, ...args], this.#options);
    this.#begun.push(program);
    return program;
  }

  /** Runs `sync --json`. */
  async sync(): Promise<SyncResult> {
    const exit = await this.run('sync', '--json');
    const printed = JSON.parse(exit.stdout) as FlushResult | { readonly error: unknown };
    if ('error' in printed) throw new Error(`sync ended with ${exit.code}:\n${exit.stderr}`);
    const left = printed.problems.filter(({ needs, state }) => needs === 'person' || state === 'failed');
    if (exit.code === 0) expect(left, 'what a sync that ended with 0 left to a person').toEqual([]);
    return { ...exit, result: printed };
  }

  /** Puts a file on the server as another user of the project would; the oracle knows that it is not ours. */
  async addForeign(purpose: string, filename: string, content: string | Uint8Array): Promise<string> {
    const { id } = await this.emulator.store.add({ purpose, filename, content });
    this.#foreign.add(id);
    return id;
  }

  /** What is not as it must be at rest; see `oracle.ts`. */
  async differences(expectation: Expectation = {}): Promise<readonly string[]> {
    const found = await differences({
      root: this.root,
      reports: await this.list(),
      stored: this.emulator.files(),
      foreign: this.#foreign,
      digests: this.#digests,
      expectation,
    });
    if (!this.isRunning) return found;
    const { counts, garbage, openIntents } = await this.status();
    if (garbage > 0) found.push(`${garbage} ids still to be deleted`);
    if (openIntents > 0) found.push(`${openIntents} uploads of unknown outcome`);
    for (const state of ['pending', 'settling', 'uploading', 'deleting'] as const) {
      if (counts[state] > 0) found.push(`${counts[state]} files are ${state}`);
    }
    return found;
  }

  /** Waits for a flush if a daemon runs, then asserts the oracle. */
  async expectConverged(expectation: ConvergedExpectation = {}): Promise<void> {
    if (this.isRunning) await this.flush();
    expect(await this.differences(expectation), 'the oracle').toEqual([]);
    this.#expectCounts(expectation);
  }

  /** Waits, asking for nothing, until the oracle holds and the daemon rests. */
  async untilConverged(expectation: ConvergedExpectation = {}, timeoutMs = POLL_TIMEOUT_MS): Promise<void> {
    await this.until(
      () => this.differences(expectation),
      (found) => found.length === 0,
      timeoutMs,
    );
    this.#expectCounts(expectation);
  }

  #expectCounts({ posts, deletes }: ConvergedExpectation): void {
    const { requests } = this.emulator;
    if (posts !== undefined) {
      expect(
        requests.uploads().map(({ filename, status }) => ({ filename, status })),
        'uploads',
      ).toHaveLength(posts);
    }
    if (deletes !== undefined) {
      expect(
        requests.deletes().map(({ id, status }) => ({ id, status })),
        'deletes',
      ).toHaveLength(deletes);
    }
  }

  printLogs(): void {
    console.log(`--- what ${this.folder} logged\n${this.logs}`);
  }

  async close(): Promise<void> {
    for (const program of [...this.#daemons, ...this.#begun]) {
      if (program.isRunning) program.signal('SIGKILL');
      await program.exited;
    }
    await this.emulator.close();
    await removeFolder(this.folder);
  }
}
