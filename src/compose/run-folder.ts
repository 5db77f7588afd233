/**
 * What `batch run FILE` works in: a mirror of its own that holds a copy of this one file, in a folder that only this
 * user can read. A copy, since the batch is of the version as it was at the beginning, whatever becomes of the file.
 */
import { constants, existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import type { Config } from '../config/config.ts';
import { defaultFolders } from '../config/folders.ts';
import { command } from '../contract/command.ts';
import { fatalFault, Fault, skipFault } from '../contract/faults.ts';
import type { FolderRules } from '../contract/types.ts';
import { lockHolder, lockStateDir, type StateLock } from '../manifest/state-lock.ts';
import { stateFilesIn } from '../manifest/state-files.ts';
import { readJson, replaceWhole } from '../manifest/whole-file.ts';
import { readRequestsFile } from './requests.ts';
import { sync } from './sync.ts';

const NOTE = 'run.json';
const FOLDER = 'batch';
const OVER = '.over';

const noteSchema = z.object({
  version: z.literal(1),
  /** Absolute, as all of these. */
  file: z.string(),
  sha256: z.string(),
  requests: z.number(),
  output: z.string(),
  errors: z.string(),
  /** What lies at `output` and `errors` may be replaced. */
  force: z.boolean(),
});

/** How a run was begun; durable before anything is sent. */
export type RunNote = Readonly<z.infer<typeof noteSchema>>;

export class RunFolder {
  readonly root: string;
  readonly stateDir: string;
  /** Null: nothing is under way. */
  begun: RunNote | null;
  readonly #directory: string;
  readonly #lock: StateLock;
  #isDiscarded = false;

  private constructor(directory: string, lock: StateLock, begun: RunNote | null) {
    this.root = join(directory, 'root');
    this.stateDir = join(directory, 'state');
    this.begun = begun;
    this.#directory = directory;
    this.#lock = lock;
  }

  /** Throws `Fault` (`locked`) when another process runs this file. */
  static async open(directory: string, file: string): Promise<RunFolder> {
    const lock = await lockStateDir(directory, undefined, undefined, 'batch run').catch(
      async (error: unknown) => {
        if (!(error instanceof Fault) || error.rule !== 'locked') throw error;
        const pid = (await lockHolder(directory))?.pid ?? 'unknown';
        throw fatalFault(
          'locked',
          `${file} is being run already (pid ${pid}); wait for that one, or stop it`,
        );
      },
    );
    try {
      await removeLeftOver(dirname(directory));
      return new RunFolder(directory, lock, await readNote(directory));
    } catch (error) {
      await lock.close();
      throw error;
    }
  }

  /** The path of the file in the mirror of its own. */
  get path(): string {
    return `${FOLDER}/${basename(this.begun?.file ?? '')}`;
  }

  /** Copies the file. Throws `Fault` when it changed meanwhile, and what the disk throws. */
  async begin(how: Omit<RunNote, 'version' | 'sha256' | 'requests'>, signal: AbortSignal): Promise<RunNote> {
    for (const each of [this.root, this.stateDir]) await rm(each, { recursive: true, force: true });
    const copy = join(this.root, FOLDER, basename(how.file));
    await mkdir(dirname(copy), { recursive: true, mode: 0o700 });
    const before = await stat(how.file, { bigint: true });
    await copyFile(how.file, copy, constants.COPYFILE_FICLONE);
    const after = await stat(how.file, { bigint: true });
    if (before.size !== after.size || before.mtimeNs !== after.mtimeNs || before.ino !== after.ino)
      throw skipFault('moved', `${how.file}: it changed while it was copied; nothing was sent`);
    const { sha256, file } = await readRequestsFile(copy, signal);
    await this.#requireNotRenamed(how.file, sha256);
    for (const each of [copy, dirname(copy), this.root]) await sync(each);
    const note = { version: 1 as const, ...how, sha256, requests: file.requests };
    await this.keep(note);
    return note;
  }

  /** The file of another run was moved here: its requests are paid for once. */
  async #requireNotRenamed(file: string, sha256: string): Promise<void> {
    const runs = dirname(this.#directory);
    for (const name of await readdir(runs)) {
      const note = await readNote(join(runs, name)).catch(() => null);
      if (note === null || note.file === file || note.sha256 !== sha256 || existsSync(note.file)) continue;
      throw skipFault(
        'moved',
        `${file} holds the requests of ${note.file}, whose run is not finished; finish that one with: ${command('batch', 'run', note.file)}, or end it with: ${command('batch', 'run', note.file, '--cancel')}`,
      );
    }
  }

  async keep(note: RunNote): Promise<void> {
    await replaceWhole(stateFilesIn(this.#directory), NOTE, Buffer.from(`${JSON.stringify(note)}\n`));
    this.begun = note;
  }

  /** Takes the input away, so that nothing of it is sent any more. */
  async takeInput(): Promise<void> {
    await rm(join(this.root, this.path), { force: true });
  }

  /** The configuration of its mirror: it mirrors this file, submits it, and deletes nothing. */
  configOf(config: Config): Config {
    const { root, stateDir } = this;
    return {
      ...config,
      root,
      stateDir,
      folders: [batchRules(config)],
      // Names of all kinds are meant here, also those that a folder would ignore.
      watch: { ...config.watch, mode: 'off', settleSeconds: 0, rescanSeconds: 0, ignore: ['!*'] },
      verifyHours: 0,
      batches: {
        ...config.batches,
        submitFolders: new Set([FOLDER]),
        resultsFolder: 'results',
        maxAtOnce: Number.MAX_SAFE_INTEGER,
        onRemove: 'finish',
        // What there is remotely is deleted at the end of the run, which names what could not be.
        cleanUp: 'none',
      },
    };
  }

  /** It is over: nothing of it is kept. */
  async discard(): Promise<void> {
    this.begun = null;
    if (this.#isDiscarded) return;
    this.#isDiscarded = true;
    // RACE: whoever begins anew meanwhile finds no folder, rather than one that vanishes below its feet.
    const over = `${this.#directory}.${process.pid}${OVER}`;
    await rename(this.#directory, over);
    await rm(over, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    await this.#lock.close();
  }
}

async function readNote(directory: string): Promise<RunNote | null> {
  return await readJson(stateFilesIn(directory), NOTE, noteSchema, (path) =>
    fatalFault('state', `${path} cannot be understood; is it of a newer files-mirror?`),
  );
}

/** Those of the user's folder for batches, as far as they are about the content. */
export function batchRules({ folders }: Pick<Config, 'folders'>): FolderRules {
  const standard = defaultFolders.get(FOLDER) as Omit<FolderRules, 'folder' | 'deletes'>;
  const ofBatches = folders.filter(({ purpose }) => purpose === 'batch');
  const rules = ofBatches.find(({ folder }) => folder === FOLDER) ?? ofBatches[0] ?? standard;
  return { ...rules, folder: FOLDER, onExpiry: 'forget', deletes: 'keep' };
}

/** Folders of runs that were over when their process was killed. */
async function removeLeftOver(runs: string): Promise<void> {
  for (const name of await readdir(runs))
    if (name.endsWith(OVER)) await rm(join(runs, name), { recursive: true, force: true });
}
