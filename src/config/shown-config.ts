import type { Config } from './config.ts';

/**
 * The effective configuration in the form of a configuration file, every folder spelled out. The values of
 * configured headers are left out, since they may be secrets.
 */
export function shownConfig(config: Config): unknown {
  return {
    root: config.root,
    stateDir: config.stateDir,
    api: {
      ...config.api,
      headers: Object.fromEntries(Object.keys(config.api.headers).map((name) => [name, '[redacted]'])),
    },
    limits: config.limits,
    watch: config.watch,
    deletes: config.deletes,
    verifyHours: config.verifyHours,
    folders: Object.fromEntries(
      config.folders.map(({ folder, deletes, ...rules }) => [
        folder,
        { ...rules, deletes: { mode: deletes } },
      ]),
    ),
  };
}
