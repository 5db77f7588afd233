import { stat } from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';
import { counted } from '../../contract/quantities.ts';
import { describeError, errnoOf, isMissing } from '../../contract/errno.ts';
import type { Config } from '../../config/config.ts';
import { didYouMean } from '../../contract/nearest-name.ts';
import { Fault } from '../../contract/faults.ts';
import type { FolderRules } from '../../contract/types.ts';
import { printable } from '../../contract/shown-text.ts';
import type { Compose, Context } from '../context.ts';
import { exitCode } from '../exit-code.ts';
import { printFacts } from '../io.ts';
import type { RequestsFile } from '../../contract/batch.ts';
import { requestsText } from '../batch/requests-text.ts';
import { stopOnSignals } from '../stop-signals.ts';
import { defineVerb, jsonOption, UsageError } from '../verb.ts';

/** What `check --json` prints. */
interface CheckReport {
  readonly version: 1;
  /** How many files were looked at. */
  readonly files: number;
  readonly findings: readonly FileFinding[];
  readonly warnings: readonly FileWarning[];
  /** What files of purpose `batch` ask for, in which nothing was found. */
  readonly requests: readonly FileRequests[];
}

interface FileRequests extends RequestsFile {
  readonly file: string;
  /** By `batches.prices`; null: its model has no price there. */
  readonly money: number | null;
}

interface FileFinding extends Finding {
  /** As it was named on the command line, or below that. */
  readonly file: string;
}

interface FileWarning {
  readonly file: string;
  readonly message: string;
}

type Finding = Awaited<ReturnType<Compose['checkFile']>>['findings'][number];

/** Exit code: 1 if a file would be refused. */
export const verb = defineVerb({
  operands: '<path..>',
  positionals: {
    path: { type: 'string', array: true, demandOption: true, describe: 'Files, and folders to walk through' },
  },
  options: {
    ...jsonOption,
    purpose: {
      type: 'string',
      requiresArg: true,
      describe:
        'Whose rules count (default: those of the nearest folder that bears the name of a purpose folder)',
    },
  },
  async run({ path: paths, purpose, json }, context) {
    const { config } = await context.loadConfig();
    const forced = purpose === undefined ? null : rulesOfPurpose(purpose, config);
    const inspector = new Inspector(config, forced, context, await context.compose());
    using stop = stopOnSignals();
    for (const path of paths) await inspector.examine(path, stop.signal);
    const { report } = inspector;
    await printFacts(context.io, json, report, reportText(report));
    return report.findings.length > 0 ? exitCode.someFailed : exitCode.done;
  },
});

/** The folder of that name, else the first that has that purpose. */
function rulesOfPurpose(purpose: string, { folders }: Config): FolderRules {
  const rules =
    folders.find(({ folder }) => folder === purpose) ?? folders.find((each) => each.purpose === purpose);
  if (rules !== undefined) return rules;
  const known = [...new Set(folders.map((each) => each.purpose))];
  const hint = didYouMean(purpose, known) || `; there are: ${known.join(', ')}`;
  throw new UsageError(`no folder has the purpose "${purpose}"${hint}`);
}

class Inspector {
  readonly #config: Config;
  readonly #forced: FolderRules | null;
  readonly #cwd: string;
  readonly #compose: Compose;
  readonly #findings: FileFinding[] = [];
  readonly #warnings: FileWarning[] = [];
  readonly #requests: FileRequests[] = [];
  #files = 0;

  constructor(config: Config, forced: FolderRules | null, context: Context, compose: Compose) {
    this.#config = config;
    this.#forced = forced;
    this.#cwd = context.io.cwd;
    this.#compose = compose;
  }

  get report(): CheckReport {
    return {
      version: 1,
      files: this.#files,
      findings: this.#findings,
      warnings: this.#warnings,
      requests: this.#requests,
    };
  }

  /** `path`: as it was given. Throws `UsageError` when nothing says whose rules count. */
  async examine(path: string, signal: AbortSignal): Promise<void> {
    const absolute = resolve(this.#cwd, path);
    const found = await kindOf(absolute);
    if (found === 'missing') {
      this.#files += 1;
      const message = 'there is no such file or folder';
      this.#findings.push({ file: path, line: null, rule: 'unreadable', message });
      return;
    }
    if (found === 'folder') return await this.#walk(path, absolute, signal);
    const rules = this.#rulesAt(dirname(absolute));
    if (rules === null) throw unclear(path, this.#config);
    await this.#check(path, absolute, rules, signal);
  }

  async #walk(path: string, directory: string, signal: AbortSignal): Promise<void> {
    let known = 0;
    let unknown = 0;
    for await (const found of this.#compose.filesToCheck(this.#config, directory, signal)) {
      const file = `${path.replace(/\/+$/, '')}${found.file.slice(directory.length)}`;
      if (found.kind === 'unlistable') {
        this.#findings.push({ file, line: null, rule: 'unreadable', message: found.reason });
      } else if (found.kind === 'skipped') {
        this.#warnings.push({ file, message: `never mirrored: ${found.detail}` });
      } else {
        const rules = this.#rulesAt(dirname(found.file));
        if (rules === null) {
          unknown += 1;
          this.#warnings.push({ file, message: 'not checked: it is in no purpose folder' });
        } else {
          known += 1;
          await this.#check(file, found.file, rules, signal);
        }
      }
    }
    if (known === 0 && unknown > 0) throw unclear(path, this.#config);
  }

  #rulesAt(directory: string): FolderRules | null {
    if (this.#forced !== null) return this.#forced;
    const { folders } = this.#config;
    for (const name of directory.split(sep).toReversed()) {
      const rules = folders.find(({ folder }) => folder === name);
      if (rules !== undefined) return rules;
    }
    return null;
  }

  async #check(file: string, absolute: string, rules: FolderRules, signal: AbortSignal): Promise<void> {
    this.#files += 1;
    try {
      const { findings, findingsTotal, warnings } = await this.#compose.checkFile(absolute, rules, signal);
      for (const finding of findings) this.#findings.push({ file, ...finding });
      for (const message of warnings) this.#warnings.push({ file, message });
      const more = findingsTotal - findings.length;
      if (more > 0) this.#warnings.push({ file, message: `${counted(more, 'more finding')} not shown` });
      if (rules.purpose === 'batch' && findings.length === 0) await this.#count(file, absolute, signal);
    } catch (error) {
      signal.throwIfAborted();
      this.#findings.push({ file, line: null, rule: 'unreadable', message: whyUnreadable(error) });
    }
  }

  async #count(file: string, absolute: string, signal: AbortSignal): Promise<void> {
    const { readRequestsFile, moneyOf } = this.#compose;
    const { file: facts } = await readRequestsFile(absolute, signal);
    this.#requests.push({ file, ...facts, money: moneyOf(facts, this.#config.batches.prices) });
  }
}

/** What cannot be looked at is taken for a file, which then cannot be read. */
async function kindOf(path: string): Promise<'file' | 'folder' | 'missing'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    return isMissing(error) ? 'missing' : 'file';
  }
}

/** Throws what is no failure of the disk. */
function whyUnreadable(error: unknown): string {
  if (error instanceof Fault) return 'not a regular file';
  if (errnoOf(error) === '') throw error;
  return describeError(error);
}

function unclear(path: string, { folders }: Config): UsageError {
  const names = folders.map(({ folder }) => folder).join(', ');
  return new UsageError(
    `nothing says which rules "${path}" is to obey: it is in no folder named ${names}; give them with --purpose`,
  );
}

function reportText({ files, findings, warnings, requests }: CheckReport): string {
  const place = (file: string, line: number | null) => `${printable(file)}${line === null ? '' : `:${line}`}`;
  const refused = new Set(findings.map(({ file }) => file)).size;
  const lines = [
    ...findings.map(
      ({ file, line, rule, message }) => `${place(file, line)}: ${rule}: ${printable(message)}`,
    ),
    ...warnings.map(({ file, message }) => `${place(file, null)}: warning: ${printable(message)}`),
    ...requests.map((each) => `${place(each.file, null)}: ${requestsText(each)}`),
    `${counted(files, 'file')} checked: ${
      findings.length === 0
        ? 'nothing found'
        : `${counted(findings.length, 'finding')} in ${counted(refused, 'file')}`
    }${warnings.length === 0 ? '' : `, ${counted(warnings.length, 'warning')}`}`,
  ];
  return `${lines.join('\n')}\n`;
}
