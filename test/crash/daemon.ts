/** The built program as a process of its own, to be killed. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DaemonClient } from '../../src/service/control-client.ts';
import { connectDaemon } from '../../src/service/control-client.ts';

export const builtProgram = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface DaemonOptions {
  /** The program's file. */
  readonly program: string;
  readonly configFile: string;
  readonly stateDir: string;
  /** Its log is appended here. */
  readonly logFile: string;
  /** `name:nth`; null: none. */
  readonly failPoint: string | null;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Daemon {
  readonly exited: Promise<Exit>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when it answers. Throws when it ended before that. */
  client(): Promise<DaemonClient>;
}

const pollMs = 20;

export function startDaemon(options: DaemonOptions): Daemon {
  const child = run(options);
  const exited = once(child, 'exit').then(([code, signal]): Exit => ({ code, signal }) as Exit);
  return {
    exited,
    kill: (signal) => void child.kill(signal),
    async client() {
      while (child.exitCode === null && child.signalCode === null) {
        const client = await connectDaemon(options.stateDir);
        if (client !== null) return client;
        await sleep(pollMs);
      }
      throw new Error(`the daemon ended (${child.exitCode ?? child.signalCode}); see ${options.logFile}`);
    },
  };
}

function run({ program, configFile, logFile, failPoint }: DaemonOptions): ChildProcess {
  const log = openSync(logFile, 'a');
  try {
    return spawn(process.execPath, [program, 'run', '--config', configFile], {
      stdio: ['ignore', 'ignore', log],
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        OPENAI_API_KEY: 'sk-crash-test',
        ...(failPoint === null ? {} : { FILES_MIRROR_FAIL_POINT: failPoint }),
      },
    });
  } finally {
    closeSync(log);
  }
}
