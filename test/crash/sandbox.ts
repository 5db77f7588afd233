/** A root, a state folder, a configuration and an emulator, for one crash test. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openMirror } from '../../src/compose.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { startEmulator } from '../../src/emulator/emulator.ts';
import type { Daemon } from './daemon.ts';
import { startDaemon } from './daemon.ts';

export interface Sandbox {
  readonly folder: string;
  readonly root: string;
  readonly stateDir: string;
  readonly logFile: string;
  readonly server: Emulator;
  /** Puts in a file of somebody else, as if it was stored long ago. Returns its id. */
  addForeign(purpose: string, filename: string, content: string): Promise<string>;
  start(failPoint: string | null): Daemon;
  /** One pass of the mirror inside this process, until converged. */
  sync(): Promise<void>;
  /** Stops the server, and removes everything unless it is to be looked at. */
  close(keep: boolean): Promise<void>;
}

export interface SandboxOptions {
  /** Folders of the root, each named for its purpose. */
  readonly folders: readonly string[];
  readonly program: string;
  /** What differs from the configuration that is quick to converge and never asks a person. */
  readonly config?: Readonly<Record<string, unknown>>;
}

const defaultFolders = ['assistants', 'batch', 'evals', 'fine-tune', 'user_data', 'vision'];
const syncTimeoutMs = 20_000;
const longAgoMs = 3_600_000;

export async function openSandbox({ folders, program, config = {} }: SandboxOptions): Promise<Sandbox> {
  const folder = mkdtempSync(join(tmpdir(), 'fm-crash-'));
  const root = join(folder, 'root');
  const stateDir = join(folder, 'state');
  const configFile = join(folder, 'config.json');
  const logFile = join(folder, 'daemon.log');
  for (const name of folders) mkdirSync(join(root, name), { recursive: true });
  let behindMs = 0;
  const server = await startEmulator({
    uploadsPerMinute: null,
    requestLogLimit: 1_000_000,
    clock: { nowMs: () => Date.now() - behindMs },
  });
  const settings = {
    root,
    stateDir,
    api: { baseUrl: server.url, timeoutSeconds: 30 },
    limits: { uploadsPerMinute: null, concurrentUploads: 16 },
    watch: { settleSeconds: 0.1, rescanSeconds: 5 },
    deletes: { graceSeconds: 0.3, maxFraction: 1, minCount: 1_000_000 },
    folders: Object.fromEntries(
      [...new Set([...defaultFolders, ...folders])].map((name) => [
        name,
        folders.includes(name) ? { check: 'basic' } : false,
      ]),
    ),
    ...config,
  };
  writeFileSync(configFile, JSON.stringify(settings));
  return {
    folder,
    root,
    stateDir,
    logFile,
    server,
    async addForeign(purpose, filename, content) {
      behindMs = longAgoMs;
      try {
        return (await server.store.add({ purpose, filename, content })).id;
      } finally {
        behindMs = 0;
      }
    },
    async sync() {
      const env = { OPENAI_API_KEY: 'sk-crash-test' };
      const { config } = await loadConfig({ flags: { config: configFile }, env, cwd: folder, homeDir: folder });
      const mirror = await openMirror({ config, apiKey: env.OPENAI_API_KEY, listener: () => {} });
      try {
        await mirror.converge(AbortSignal.timeout(syncTimeoutMs));
      } finally {
        await mirror.close();
      }
    },
    start: (failPoint) => startDaemon({ program, configFile, stateDir, logFile, failPoint }),
    async close(keep) {
      await server.close();
      if (!keep) rmSync(folder, { recursive: true });
    },
  };
}
