/** One mirrored folder, the built program upon it, and a server to which a line leads that counts and loses. */
import { mkdirSync, renameSync, rmSync, writeFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectDaemon, type DaemonClient } from '../../src/service/control-client.ts';
import { judge, violationsOf } from '../crash/oracle.ts';
import { fastConfig } from '../support/blackbox/fast-config.ts';
import { RunningProgram, runProgram, type Exit } from '../support/blackbox/program.ts';
import { LosingLine } from './losing-line.ts';
import { peerKey } from './peer-store.ts';
import type { Peer, RunningPeer } from './peer.ts';

const startTimeoutMs = 30_000;
const flushTimeoutMs = 60_000;
const restTimeoutMs = 30_000;
const pollMs = 100;

/** None of the default folders, but those that a life is about. */
const noFolders = Object.fromEntries(
  ['assistants', 'batch', 'evals', 'fine-tune', 'user_data', 'vision'].map((name) => [name, false]),
);

export class FolderLife {
  readonly folder = mkdtempSync(join(tmpdir(), 'fm-peer-'));
  readonly root = join(this.folder, 'root');
  readonly stateDir = join(this.folder, 'state');
  readonly line: LosingLine;
  /** The second folder. */
  readonly second: string;
  readonly #peer: RunningPeer;
  readonly #foreign = new Set<string>();
  #daemon: RunningProgram | null = null;
  #log = '';

  private constructor({ second }: Peer, peer: RunningPeer, line: LosingLine) {
    this.#peer = peer;
    this.line = line;
    this.second = second;
    const rules = Object.fromEntries(
      ['batch', second].map((folder) => {
        mkdirSync(join(this.root, folder), { recursive: true });
        return [folder, { purpose: folder, check: 'off' as const }];
      }),
    );
    const config = {
      ...fastConfig({
        api: { ...peer.api, baseUrl: line.url },
        deletes: { graceSeconds: 0.3, maxFraction: 1, minCount: 1_000 },
      }),
      root: this.root,
      stateDir: this.stateDir,
      folders: { ...noFolders, ...rules },
    };
    writeFileSync(join(this.folder, 'config.json'), JSON.stringify(config));
  }

  /** `running`: the peer, which was started for this life. */
  static async begin(peer: Peer, running: RunningPeer): Promise<FolderLife> {
    return new FolderLife(peer, running, await LosingLine.open(running.baseUrl));
  }

  /** What the daemons and verbs logged so far. */
  get log(): string {
    return this.#log + (this.#daemon?.log ?? '');
  }

  write(path: string, content: string | Uint8Array): void {
    const file = join(this.root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }

  rename(from: string, to: string): void {
    mkdirSync(dirname(join(this.root, to)), { recursive: true });
    renameSync(join(this.root, from), join(this.root, to));
  }

  remove(path: string): void {
    rmSync(join(this.root, path));
  }

  /** Puts in a file of somebody else; it must still be there at the end. */
  async addForeign(filename: string, content: string): Promise<void> {
    this.#foreign.add(await this.#peer.store.add(this.second, filename, content));
  }

  /** Deletes at the server, behind the mirror's back. */
  async deleteRemotely(id: string): Promise<void> {
    await this.#peer.store.remove(id);
  }

  async start(): Promise<void> {
    this.#daemon = new RunningProgram(['run', '--config', 'config.json'], this.#options());
    await this.#client();
  }

  async stop(): Promise<void> {
    const daemon = this.#running();
    daemon.signal('SIGTERM');
    const { code, stderr } = await daemon.exit();
    this.#log += stderr;
    this.#daemon = null;
    if (code !== 0) throw new Error(`the daemon ended with ${code}`);
  }

  /** Runs one verb to its end. */
  async verb(...args: readonly string[]): Promise<Exit> {
    const exit = await runProgram([...args, '--config', 'config.json'], this.#options());
    this.#log += exit.stderr;
    return exit;
  }

  /** The id of each path, as `list --json` says. */
  async ids(): Promise<ReadonlyMap<string, string | null>> {
    const { stdout } = await this.verb('list', '--json');
    const rows = JSON.parse(stdout) as { path: string; id: string | null }[];
    return new Map(rows.map(({ path, id }) => [path, id]));
  }

  /** Everything that is on disk is mirrored, and nothing is left to delete. Returns what is wrong. */
  async settle(): Promise<readonly string[]> {
    if (this.#daemon !== null) {
      const { problems, halts } = await (await this.#client()).flush(flushTimeoutMs);
      if (problems.length + halts.length > 0) return [JSON.stringify({ problems, halts })];
    }
    const deadlineMs = performance.now() + restTimeoutMs;
    for (;;) {
      const found = await this.#violations();
      if (found.length === 0 || performance.now() > deadlineMs) return found;
      await sleep(pollMs);
    }
  }

  async close(): Promise<void> {
    this.#daemon?.signal('SIGKILL');
    await this.#daemon?.exited;
    await this.line.close();
    rmSync(this.folder, { recursive: true });
  }

  async #violations(): Promise<readonly string[]> {
    const files = await this.#peer.store.files();
    const { root, stateDir } = this;
    return violationsOf(
      await judge({ root, stateDir, server: { files: () => files }, foreign: this.#foreign }),
    );
  }

  #options(): { cwd: string; env: Record<string, string> } {
    return { cwd: this.folder, env: { HOME: this.folder, OPENAI_API_KEY: peerKey } };
  }

  #running(): RunningProgram {
    if (this.#daemon === null) throw new Error('no daemon runs');
    return this.#daemon;
  }

  async #client(): Promise<DaemonClient> {
    const daemon = this.#running();
    const deadlineMs = performance.now() + startTimeoutMs;
    while (daemon.isRunning && performance.now() < deadlineMs) {
      const client = await connectDaemon(this.stateDir);
      if (client !== null) return client;
      await sleep(pollMs);
    }
    throw new Error(`the daemon does not answer:\n${daemon.log}`);
  }
}
