/** A root, a state folder, a configuration and an emulator, for one crash test; and the built program upon them. */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { openMirror } from '../../src/compose.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { configSchema } from '../../src/config/schema.ts';
import type { Emulator, EmulatorOptions } from '../support/faulty-emulator.ts';
import { startEmulator } from '../support/faulty-emulator.ts';
import type { DaemonClient } from '../../src/service/control-client.ts';
import { connectDaemon } from '../../src/service/control-client.ts';
import { RunningProgram } from '../support/blackbox/program.ts';

const mortalProgram = fileURLToPath(new URL('mortal-program.ts', import.meta.url));
const key = 'sk-crash-test';
const syncTimeoutMs = 20_000;
const pollMs = 20;
const longAgoMs = 3_600_000;

/** Quick to converge, and never asks a person. */
const settings = {
  api: { lookSeconds: 5, timeoutSeconds: 30 },
  limits: { uploadsPerMinute: null, concurrentUploads: 16 },
  watch: { settleSeconds: 0.1, rescanSeconds: 5 },
  deletes: { graceSeconds: 0.3, maxFraction: 1, minCount: 1_000_000 },
  folders: {
    batch: { check: 'basic' },
    evals: { check: 'full' },
    user_data: { check: 'basic' },
    assistants: false,
    'fine-tune': false,
    vision: false,
  },
} satisfies z.input<typeof configSchema>;

export interface SandboxOptions {
  /** Over the settings above, by first-level key; of `folders` by folder. */
  readonly settings?: z.input<typeof configSchema>;
  readonly emulator?: EmulatorOptions;
}

/** The folders of a sandbox's root; each is named for its purpose. The content of files in `evals` is checked. */
export const sandboxFolders = ['batch', 'evals', 'user_data'] as const;

/** One life of the daemon. */
export class Life {
  readonly program: RunningProgram;
  readonly #stateDir: string;

  constructor(program: RunningProgram, stateDir: string) {
    this.program = program;
    this.#stateDir = stateDir;
  }

  /** Resolves when the daemon answers. Throws when it ended before that. */
  async client(): Promise<DaemonClient> {
    while (this.program.isRunning) {
      const client = await connectDaemon(this.#stateDir);
      if (client !== null) return client;
      await sleep(pollMs);
    }
    const { code, signal } = await this.program.exited;
    throw new Error(`the daemon ended (${signal ?? code}):\n${this.program.log}`);
  }
}

export class Sandbox {
  readonly folder = mkdtempSync(join(tmpdir(), 'fm-crash-'));
  readonly root = join(this.folder, 'root');
  readonly stateDir = join(this.folder, 'state');
  /** What all lives logged. */
  readonly logFile = join(this.folder, 'daemon.log');
  readonly foreign = new Set<string>();
  readonly #configFile = join(this.folder, 'config.json');
  readonly #options: SandboxOptions;
  #server: Emulator | null = null;
  #serverBehindMs = 0;

  constructor(options: SandboxOptions = {}) {
    this.#options = options;
  }

  get server(): Emulator {
    if (this.#server === null) throw new Error('the sandbox is not open');
    return this.#server;
  }

  async open(): Promise<this> {
    this.#server = await startEmulator({
      uploadsPerMinute: null,
      requestLogLimit: 1_000_000,
      clock: { nowMs: () => Date.now() - this.#serverBehindMs },
      ...this.#options.emulator,
    });
    for (const name of sandboxFolders) mkdirSync(join(this.root, name), { recursive: true });
    const api = { ...settings.api, baseUrl: this.#server.url };
    const { root, stateDir } = this;
    const more = this.#options.settings ?? {};
    const folders = { ...settings.folders, ...more.folders };
    writeFileSync(this.#configFile, JSON.stringify({ ...settings, ...more, root, stateDir, api, folders }));
    return this;
  }

  /** Puts in a file of somebody else, as if it was stored long ago. */
  async addForeign(purpose: string, filename: string, content: string): Promise<void> {
    this.#serverBehindMs = longAgoMs;
    try {
      this.foreign.add((await this.server.store.add({ purpose, filename, content })).id);
    } finally {
      this.#serverBehindMs = 0;
    }
  }

  /** Starts the built daemon. `failPoint`: where it is to die, `name:nth`; null: nowhere. */
  start(failPoint: string | null): Life {
    const { folder: cwd } = this;
    const env = { HOME: cwd, OPENAI_API_KEY: key };
    const options =
      failPoint === null
        ? { env, cwd }
        : { env: { ...env, FILES_MIRROR_FAIL_POINT: failPoint }, cwd, program: mortalProgram };
    const program = new RunningProgram(['run', '--config', this.#configFile], options);
    void program.exited.then(({ code, signal, stderr }) =>
      appendFileSync(this.logFile, `${stderr}--- ended with ${signal ?? code}\n`),
    );
    return new Life(program, this.stateDir);
  }

  /** One pass of the mirror inside this process, until converged. */
  async sync(): Promise<void> {
    const { folder } = this;
    const flags = { config: this.#configFile };
    const { config } = await loadConfig({ flags, env: {}, cwd: folder, homeDir: folder });
    const mirror = await openMirror({ config, apiKey: key, listener: () => {} });
    try {
      await mirror.converge(AbortSignal.timeout(syncTimeoutMs));
    } finally {
      await mirror.close();
    }
  }

  /** Stops the server, and removes everything unless it is to be looked at. */
  async close(keep: boolean): Promise<void> {
    await this.#server?.close();
    if (!keep) rmSync(this.folder, { recursive: true });
  }
}
