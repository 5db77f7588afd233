import { command } from '../../contract/command.ts';
import type { HaltName } from '../../contract/types.ts';

/**
 * How long this process stays: a `daemon` goes on when a halt ends, and can be told something; a `pass` is over by
 * then, and a later one begins anew.
 */
export type Stay = 'daemon' | 'pass';

type Advice = Readonly<Record<Stay, (folder: string | null) => string>>;

const inReadme = 'to begin anew at this API, see “Another key, another project” in the README';
const again = 'then run this again';

/** What a person can do about each halt. A command is the last word of its sentence, so that it can be copied. */
const ADVICE: Readonly<Record<HaltName, Advice>> = {
  root: {
    daemon: () => 'mount or restore the root; it then goes on by itself',
    pass: () => `mount or restore the root, ${again}`,
  },
  'mass-delete': {
    daemon: (folder) =>
      `put the files back, or let them be deleted remotely with: ${command('approve', ...(folder === null ? [] : [folder]))}`,
    pass: (folder) =>
      `put the files back, or let a daemon (${command('run')}) delete them remotely with: ${command('approve', ...(folder === null ? [] : [folder]))}`,
  },
  auth: {
    daemon: () =>
      'give it a valid API key, then reload (SIGHUP) or restart; it also tries again once a minute',
    pass: () => `set a valid API key, ${again}`,
  },
  scope: {
    daemon: () =>
      `give it the key, project and address that these files were uploaded with, then reload (SIGHUP) or restart; ${inReadme}`,
    pass: () => `set the key, project and address that these files were uploaded with, ${again}; ${inReadme}`,
  },
  quota: {
    daemon: () => 'free storage or raise the limit at the API; it tries again by itself',
    pass: () => `free storage or raise the limit at the API, ${again}`,
  },
  storage: {
    daemon: () => 'remove files, or raise limits.storageBytes; it ends by itself when there is room',
    pass: () => `remove files, or raise limits.storageBytes, ${again}`,
  },
  state: {
    daemon: () => 'make the state folder writable or free disk space; it then goes on by itself',
    pass: () => `make the state folder writable or free disk space, ${again}`,
  },
  paused: {
    daemon: () => `go on with: ${command('resume')}`,
    pass: () => `go on with: ${command('resume')}`,
  },
};

export function haltAdvice(name: HaltName, folder: string | null, stay: Stay): string {
  return ADVICE[name][stay](folder);
}
