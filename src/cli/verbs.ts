import type { Verb } from './verb.ts';

interface VerbEntry {
  readonly summary: string;
  /** Verbs are loaded one at a time: `status` must not wait for what only `run` needs. */
  readonly load: () => Promise<{ readonly verb: Verb }>;
}

function entry(summary: string, load: VerbEntry['load']): VerbEntry {
  return { summary, load };
}

/** All verbs, in the order in which the help shows them. */
const table = {
  run: entry(
    'Mirror the folder until stopped (the daemon, in the foreground)',
    () => import('./verbs/run.ts'),
  ),
  sync: entry('Mirror once, then exit', () => import('./verbs/sync.ts')),
  plan: entry('Show what sync would do; send nothing', () => import('./verbs/plan.ts')),
  status: entry(
    'Show what is halted, what is mirrored, and what is not and why',
    () => import('./verbs/status.ts'),
  ),
  list: entry('List all files with id, size, expiry and state', () => import('./verbs/list.ts')),
  id: entry('Print the file id of a path, as soon as it has one with --wait', () => import('./verbs/id.ts')),
  batch: entry(
    'Submit files of requests as batches, and see what became of them',
    () => import('./verbs/batch.ts'),
  ),
  flush: entry('Wait until everything on disk is mirrored', () => import('./verbs/flush.ts')),
  verify: entry('Compare what is recorded with the API', () => import('./verbs/verify.ts')),
  get: entry('Fetch the remote content of a file', () => import('./verbs/get.ts')),
  usage: entry('Show how much is stored at the API, by purpose', () => import('./verbs/usage.ts')),
  orphans: entry(
    'List, or delete, remote files of this mirror that no path has',
    () => import('./verbs/orphans.ts'),
  ),
  adopt: entry('Take over remote files that match local ones', () => import('./verbs/adopt.ts')),
  approve: entry('Let held deletes go, or with --submits held batches', () => import('./verbs/approve.ts')),
  pause: entry('Send nothing until the verb resume, or a restart', () => import('./verbs/pause.ts')),
  resume: entry('End a pause', () => import('./verbs/resume.ts')),
  rescan: entry('Look at every file now', () => import('./verbs/rescan.ts')),
  retry: entry('Try again what was rejected, as it is', () => import('./verbs/retry.ts')),
  check: entry('Check files against the rules of their purpose', () => import('./verbs/check.ts')),
  init: entry('Create the root and its purpose folders', () => import('./verbs/init.ts')),
  config: entry(
    'Check or show the configuration, or print its JSON Schema',
    () => import('./verbs/config.ts'),
  ),
  doctor: entry('Check the whole setting, from Node to the API', () => import('./verbs/doctor.ts')),
  emulator: entry('Serve a local Files API', () => import('./verbs/emulator.ts')),
};

export const verbs: ReadonlyMap<string, VerbEntry> = new Map(Object.entries(table));
