import type * as compose from '../compose.ts';
import type { Config } from '../config/config.ts';
import type { ConfigFlags, LoadedConfig } from '../config/load.ts';
import { Fault } from '../mirror/faults.ts';
import type { DaemonClient } from '../service/control-client.ts';
import type { LogLevel } from '../service/logger.ts';
import type { Io } from './io.ts';

/** The parts of the program that verbs build on. */
export type Compose = Pick<
  typeof compose,
  | 'adoptRemote'
  | 'checkFile'
  | 'deleteOrphans'
  | 'dialectNames'
  | 'filesToCheck'
  | 'lookAtPlaces'
  | 'openMirror'
  | 'openRemote'
  | 'planMirror'
  | 'readState'
  | 'retryRejected'
  | 'startEmulator'
>;

export interface Flags extends ConfigFlags {
  readonly logLevel: LogLevel;
}

/** What a verb gets besides its own arguments. Everything heavy is loaded when it is asked for. */
export interface Context {
  readonly io: Io;
  readonly flags: Flags;
  loadConfig(): Promise<LoadedConfig>;
  /** Throws `Fault` with rule `config` or `no-key`. */
  readApiKey(config: Config): Promise<string | null>;
  /** Null when no daemon runs. */
  findDaemon(config: Config): Promise<DaemonClient | null>;
  /** Throws `Fault` with rule `not-running`. */
  daemon(): Promise<DaemonClient>;
  compose(): Promise<Compose>;
}

export function createContext(io: Io, flags: Flags, compose: () => Promise<Compose>): Context {
  const context: Context = {
    io,
    flags,
    compose,
    async loadConfig() {
      const { loadConfig } = await import('../config/load.ts');
      return loadConfig({ flags, env: io.env, cwd: io.cwd, homeDir: io.homeDir });
    },
    async readApiKey(config) {
      const { readApiKey } = await import('../config/api-key.ts');
      return readApiKey(config, io.env);
    },
    async findDaemon(config) {
      const { connectDaemon } = await import('../service/control-client.ts');
      return connectDaemon(config.stateDir);
    },
    async daemon() {
      const { config } = await context.loadConfig();
      const daemon = await context.findDaemon(config);
      if (daemon !== null) return daemon;
      throw new Fault(`no daemon runs for ${config.root}; start one with: files-mirror run`, {
        disposition: 'fatal',
        outcome: 'refused',
        rule: 'not-running',
      });
    },
  };
  return context;
}
