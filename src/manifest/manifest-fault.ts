import { isErrno } from '../contract/errno.ts';
import { command } from '../contract/command.ts';
import { fatalFault, Fault } from '../contract/faults.ts';

/** Something is wrong inside one of the files; which file, and what to do, is added by `damagedManifest`. */
export class Damage extends Error {
  readonly advice: string | null;

  constructor(message: string, advice: string | null = null) {
    super(message);
    this.name = 'Damage';
    this.advice = advice;
  }
}

const startAnew =
  'nothing was changed or sent. Restore manifest.json and manifest.journal together from one backup; without ' +
  `a backup, move both away and take the remote files over with: ${command('adopt')}`;

/** The manifest exists and cannot be used as it is. */
export function damagedManifest(filePath: string, damage: Damage): Fault {
  return fatalFault('manifest', `${filePath} ${damage.message}; ${damage.advice ?? startAnew}`, damage);
}

export function newerVersion(version: number): Damage {
  return new Damage(
    `was written by a newer files-mirror (format ${version})`,
    'nothing was changed or sent. Run that version again',
  );
}

/** A change could not be made durable. Ends by itself: the next commit tries again. */
export function unwritableManifest(filePath: string, error: NodeJS.ErrnoException): Fault {
  return new Fault(
    `cannot write ${filePath}: ${causeOf(error)}; it is tried again by itself: ${remedyFor(error.code)}`,
    {
      disposition: 'halt',
      halt: 'state',
      outcome: 'refused',
      rule: 'state',
      cause: error,
    },
  );
}

/** The state folder cannot be used at the start. */
export function unusableStateDir(filePath: string, error: NodeJS.ErrnoException): Fault {
  return fatalFault(
    'manifest',
    `cannot use ${filePath}: ${causeOf(error)}; ${remedyFor(error.code)}, or choose another stateDir`,
    error,
  );
}

/** For a `catch` at the start: what an error of the system means there. All others are thrown on as they are. */
export function unusable(filePath: string): (error: unknown) => never {
  return (error) => {
    throw isErrno(error) ? unusableStateDir(filePath, error) : error;
  };
}

function causeOf(error: NodeJS.ErrnoException): string {
  const text = /^[A-Z0-9_]+: ([^,]+)/.exec(error.message)?.[1] ?? error.message;
  return `${text} (${error.code})`;
}

function remedyFor(code: string | undefined): string {
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'free space on the disk that holds it';
    case 'EROFS':
      return 'mount its disk writable';
    case 'EACCES':
    case 'EPERM':
      return 'let the user that runs files-mirror write there';
    case 'ENOENT':
    case 'ENOTDIR':
      return 'put the state folder back';
    case 'EIO':
      return 'check the disk that holds it';
    default:
      return 'see to the cause';
  }
}
