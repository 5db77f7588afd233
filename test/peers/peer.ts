/** Servers that others wrote, or that are like those of others, as the life of a folder needs them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { presetNames } from '../../src/config/preset-names.ts';
import type { configSchema } from '../../src/config/schema.ts';
import { dialects, type DialectName } from '../../src/emulator/dialects.ts';
import { startEmulator } from '../support/faulty-emulator.ts';
import { installPackage, plainEnvironment, unpackPackage } from './installed-package.ts';
import { HttpStore, peerKey, storeOf, type PeerStore } from './peer-store.ts';

const startTimeoutMs = 90_000;
const pollMs = 100;

export interface RunningPeer {
  readonly baseUrl: URL;
  /** What a user would configure for it, besides the base URL. */
  readonly api: NonNullable<z.input<typeof configSchema>['api']>;
  readonly store: PeerStore;
  readonly close: () => Promise<void>;
}

export interface Peer {
  readonly name: string;
  /** What was tried, with versions. */
  readonly what: string;
  /** The second folder, and the purpose of its files; the first one is `batch`. */
  readonly second: string;
  readonly start: () => Promise<RunningPeer>;
}

const aimockVersion = '1.43.0';
const portkeyVersion = '1.15.2';
const omnirouteVersion = '3.7.9';

/** The second folder of the emulator in each dialect that can be mirrored to without more ado. */
const seconds: Readonly<Partial<Record<DialectName, string>>> = {
  openai: 'user_data',
  azure: 'evals',
  'azure-v1': 'evals',
  groq: 'batch',
  xai: 'user_data',
  moonshot: 'file-extract',
  zhipu: 'code-interpreter',
  dashscope: 'file-extract',
  litellm: 'user_data',
  cerebras: 'batch',
  'no-expiry': 'user_data',
};

/** The emulator of this checkout, configured by the preset of that name alone. */
function emulated(dialect: DialectName, second: string): Peer {
  return {
    name: dialect,
    what: `files-mirror emulator --dialect ${dialect}`,
    second,
    start: async () => {
      const emulator = await startEmulator({ dialect, uploadsPerMinute: null });
      const baseUrl = new URL(emulator.url);
      const { requiredQuery } = dialects[dialect];
      if (requiredQuery !== null) baseUrl.searchParams.set(requiredQuery, '2024-10-21');
      const preset = presetNames.find((name) => name === dialect) ?? null;
      return { baseUrl, api: { preset }, store: storeOf(emulator), close: () => emulator.close() };
    },
  };
}

export const peers: readonly Peer[] = [
  ...Object.entries(seconds).map(([dialect, second]) => emulated(dialect as DialectName, second)),
  {
    name: 'aimock',
    what: `@copilotkit/aimock ${aimockVersion}`,
    second: 'user_data',
    start: startAimock,
  },
  {
    name: 'portkey',
    what: `@portkey-ai/gateway ${portkeyVersion} before @copilotkit/aimock ${aimockVersion}`,
    second: 'user_data',
    start: async () => {
      const behind = await startAimock();
      const folder = await installPackage('@portkey-ai/gateway', portkeyVersion);
      const port = await freePort();
      const headers = { 'x-portkey-provider': 'openai', 'x-portkey-custom-host': behind.baseUrl.href };
      const gateway = await startProgram({
        command: [process.execPath, join(folder, 'build/start-server.js'), '--headless', `--port=${port}`],
        baseUrl: new URL(`http://127.0.0.1:${port}/v1`),
        headers,
      });
      return {
        ...gateway,
        api: { headers },
        store: behind.store,
        close: async () => {
          await gateway.close();
          await behind.close();
        },
      };
    },
  },
  {
    name: 'omniroute',
    what: `omniroute ${omnirouteVersion}, on node:sqlite`,
    second: 'user_data',
    start: async () => {
      const folder = join(await unpackPackage('omniroute', omnirouteVersion), 'app');
      const shim = fileURLToPath(new URL('sqlite-shim.cjs', import.meta.url));
      await copyFile(shim, join(folder, 'node_modules/better-sqlite3/lib/index.js'));
      const home = await mkdtemp(join(tmpdir(), 'omniroute-'));
      const port = await freePort();
      const server = await startProgram({
        command: [process.execPath, join(folder, 'server.js')],
        cwd: folder,
        env: {
          HOME: home,
          DATA_DIR: home,
          PORT: String(port),
          HOSTNAME: '127.0.0.1',
          NODE_ENV: 'production',
          JWT_SECRET: 'j'.repeat(48),
          API_KEY_SECRET: 'a'.repeat(48),
          OMNIROUTE_API_KEY: peerKey,
          NEXT_TELEMETRY_DISABLED: '1',
        },
        baseUrl: new URL(`http://127.0.0.1:${port}/v1`),
      });
      return {
        ...server,
        close: async () => {
          await server.close();
          await rm(home, { recursive: true, force: true });
        },
      };
    },
  },
];

async function startAimock(): Promise<RunningPeer> {
  const folder = await installPackage('@copilotkit/aimock', aimockVersion);
  const work = await mkdtemp(join(tmpdir(), 'aimock-'));
  const configFile = join(work, 'aimock.json');
  await writeFile(configFile, '{}');
  const port = await freePort();
  const server = await startProgram({
    command: [process.execPath, join(folder, 'dist/aimock-cli.js'), '-c', configFile, '-p', String(port)],
    baseUrl: new URL(`http://127.0.0.1:${port}/v1`),
  });
  return {
    ...server,
    close: async () => {
      await server.close();
      await rm(work, { recursive: true });
    },
  };
}

interface Program {
  readonly command: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly baseUrl: URL;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Started when its list of files answers. */
async function startProgram({ command, cwd, env, baseUrl, headers = {} }: Program): Promise<RunningPeer> {
  const [file = '', ...args] = command;
  const guard = fileURLToPath(new URL('loopback-only.cjs', import.meta.url));
  const child = spawn(file, ['--require', guard, ...args], {
    cwd: cwd ?? tmpdir(),
    env: { ...plainEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  const deadlineMs = performance.now() + startTimeoutMs;
  for (;;) {
    const reply = await fetch(`${baseUrl.href}/files`, {
      headers: { authorization: `Bearer ${peerKey}`, ...headers },
    }).catch(() => null);
    await reply?.body?.cancel();
    if (reply?.status === 200) break;
    if (child.exitCode !== null || performance.now() > deadlineMs) {
      child.kill('SIGKILL');
      throw new Error(`${args[0]} does not serve /v1/files (${reply?.status}):\n${output.slice(-4000)}`);
    }
    await sleep(pollMs);
  }
  return {
    baseUrl,
    api: {},
    store: new HttpStore(baseUrl),
    close: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
