import type * as compose from '../compose.ts';
import type { Config } from '../config/config.ts';
import type { ConfigFlags, LoadedConfig } from '../config/load.ts';
import type { Invocation } from '../contract/command.ts';
import { fatalFault } from '../contract/faults.ts';
import type { DaemonClient } from '../service/control-client.ts';
import type { LogLevel } from '../service/logger.ts';
import type { FoundProcess } from './found-process.ts';
import { invocationOf } from './invocation.ts';
import type { Io } from './io.ts';

/** The parts of the program that verbs build on. */
export type Compose = typeof compose;

export interface Flags extends ConfigFlags {
  readonly logLevel: LogLevel;
}

/** What a verb gets besides its own arguments. Everything heavy is loaded when it is asked for. */
export interface Context {
  readonly io: Io;
  /** E.g. `sync`. */
  readonly verb: string;
  readonly flags: Flags;
  loadConfig(): Promise<LoadedConfig>;
  /** Throws `Fault` with rule `config` or `no-key`. */
  readApiKey(config: Config): Promise<string | null>;
  /** What is at work on the mirror, a daemon that does not answer included. */
  findProcess(config: Config): Promise<FoundProcess>;
  /** Null when no daemon runs. Throws `Fault` with rule `no-answer` when one is there that does not answer. */
  findDaemon(config: Config): Promise<DaemonClient | null>;
  /** Throws `Fault` with rule `not-running` or `no-answer`. */
  daemon(): Promise<DaemonClient>;
  compose(): Promise<Compose>;
  /** How commands that are printed are to be written; never throws. */
  invocation(): Promise<Invocation>;
}

export function createContext(io: Io, verb: string, flags: Flags, compose: () => Promise<Compose>): Context {
  const context: Context = {
    io,
    verb,
    flags,
    compose,
    async loadConfig() {
      const { loadConfig } = await import('../config/load.ts');
      return loadConfig({ flags, env: io.env, cwd: io.cwd, homeDir: io.homeDir });
    },
    async invocation() {
      // A configuration that cannot be read is told by whoever needs it.
      const loaded = await context.loadConfig().catch(() => null);
      return invocationOf({ flags, env: io.env, cwd: io.cwd, loaded });
    },
    async readApiKey(config) {
      const { readApiKey } = await import('../config/api-key.ts');
      return readApiKey(config, io.env);
    },
    async findProcess(config) {
      const { findProcess } = await import('./found-process.ts');
      return await findProcess(config, compose);
    },
    async findDaemon(config) {
      const found = await context.findProcess(config);
      if (found.kind === 'daemon') return found.daemon;
      if (found.kind !== 'silent') return null;
      const { nextFor, runningText } = await import('./found-process.ts');
      throw fatalFault('no-answer', `${runningText(found)}; ${nextFor(found)}`);
    },
    async daemon() {
      const { config } = await context.loadConfig();
      const daemon = await context.findDaemon(config);
      if (daemon !== null) return daemon;
      const found = await context.findProcess(config);
      const { runningText } = await import('./found-process.ts');
      const instead = found.kind === 'busy' ? ` (${runningText(found)})` : '';
      const { startAdvice } = await import('./start-advice.ts');
      throw fatalFault(
        'not-running',
        `no daemon runs for ${config.root}${instead}; ${await startAdvice(context)}`,
      );
    },
  };
  return context;
}
