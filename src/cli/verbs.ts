import type { Verb } from './verb.ts';

interface VerbEntry {
  readonly summary: string;
  /** Verbs are loaded one at a time: `status` must not wait for what only `run` needs. */
  readonly load: () => Promise<{ readonly verb: Verb }>;
}

/** All verbs, in the order in which the help shows them. */
export const verbs: ReadonlyMap<string, VerbEntry> = new Map<string, VerbEntry>([
  [
    'run',
    {
      summary: 'Mirror the folder until stopped (the daemon, in the foreground)',
      load: () => import('./verbs/run.ts'),
    },
  ],
  ['sync', { summary: 'Mirror once, then exit', load: () => import('./verbs/sync.ts') }],
  ['plan', { summary: 'Show what sync would do; send nothing', load: () => import('./verbs/plan.ts') }],
  [
    'status',
    {
      summary: 'Show what is halted, what is mirrored, and what is not and why',
      load: () => import('./verbs/status.ts'),
    },
  ],
  [
    'list',
    { summary: 'List all files with id, size, expiry and state', load: () => import('./verbs/list.ts') },
  ],
  [
    'id',
    {
      summary: 'Print the file id of a path, as soon as it has one with --wait',
      load: () => import('./verbs/id.ts'),
    },
  ],
  ['flush', { summary: 'Wait until everything on disk is mirrored', load: () => import('./verbs/flush.ts') }],
  ['verify', { summary: 'Compare what is recorded with the API', load: () => import('./verbs/verify.ts') }],
  ['get', { summary: 'Fetch the remote content of a file', load: () => import('./verbs/get.ts') }],
  [
    'usage',
    { summary: 'Show how much is stored at the API, by purpose', load: () => import('./verbs/usage.ts') },
  ],
  [
    'orphans',
    {
      summary: 'List, or delete, remote files of this mirror that no path has',
      load: () => import('./verbs/orphans.ts'),
    },
  ],
  [
    'adopt',
    { summary: 'Take over remote files that match local ones', load: () => import('./verbs/adopt.ts') },
  ],
  [
    'approve',
    { summary: 'Let held deletes go: delete those remote files', load: () => import('./verbs/approve.ts') },
  ],
  [
    'pause',
    { summary: 'Send nothing until the verb resume, or a restart', load: () => import('./verbs/pause.ts') },
  ],
  ['resume', { summary: 'End a pause', load: () => import('./verbs/resume.ts') }],
  ['rescan', { summary: 'Look at every file now', load: () => import('./verbs/rescan.ts') }],
  ['retry', { summary: 'Try again what was rejected, as it is', load: () => import('./verbs/retry.ts') }],
  [
    'check',
    { summary: 'Check files against the rules of their purpose', load: () => import('./verbs/check.ts') },
  ],
  ['init', { summary: 'Create the root and its purpose folders', load: () => import('./verbs/init.ts') }],
  [
    'config',
    {
      summary: 'Check or show the configuration, or print its JSON Schema',
      load: () => import('./verbs/config.ts'),
    },
  ],
  [
    'doctor',
    { summary: 'Check the whole setting, from Node to the API', load: () => import('./verbs/doctor.ts') },
  ],
  ['emulator', { summary: 'Serve a local Files API', load: () => import('./verbs/emulator.ts') }],
]);
