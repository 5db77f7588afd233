import { redacted } from '../contract/shown-text.ts';
import type { Config } from './config.ts';
import { defaultFolders } from './folders.ts';
import { presetFolders } from './presets.ts';

/**
 * The effective configuration in the form of a configuration file, the preset's settings included and every folder
 * spelled out, also those that are switched off. The values of configured headers are left out, since they may be
 * secrets; where a value comes from is shown.
 */
export function shownConfig(config: Config): unknown {
  return {
    root: config.root,
    stateDir: config.stateDir,
    api: {
      ...config.api,
      headers: Object.fromEntries(
        Object.entries(config.api.headers).map(([name, source]) => [
          name,
          typeof source === 'string' ? redacted : source,
        ]),
      ),
    },
    limits: config.limits,
    watch: config.watch,
    deletes: config.deletes,
    batches: withoutFolders(config.batches),
    verifyHours: config.verifyHours,
    folders: {
      ...Object.fromEntries(
        [...defaultFolders.keys(), ...presetFolders(config.api.preset)].map((folder) => [folder, false]),
      ),
      ...Object.fromEntries(
        config.folders.map(({ folder, deletes, ...rules }) => [
          folder,
          {
            ...rules,
            ...(rules.purpose === 'batch' ? { submit: config.batches.submitFolders.has(folder) } : {}),
            deletes: { mode: deletes },
          },
        ]),
      ),
    },
  };
}

/** Which folders are submitted is told with each folder. */
function withoutFolders({ submitFolders: _folders, ...batches }: Config['batches']): unknown {
  return batches;
}
