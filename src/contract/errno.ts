/** Errors of the system, by their codes. */

/** The `code` of a system error, e.g. `ENOENT`; the empty string for anything else. */
export function errnoOf(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? code : '';
}

/** A system error for people: `EACCES: permission denied`, without the call and the absolute path. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return errnoOf(error) === '' ? error.message : (error.message.split(',', 1)[0] ?? error.message);
}

/** True when the error says that nothing of that name is there (a file in the place of a folder included). */
export function isMissing(error: unknown): boolean {
  const code = errnoOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** An error of a system call, as opposed to one of this program. */
export function isErrno(error: unknown): error is NodeJS.ErrnoException {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && typeof syscall === 'string';
}

/** A hard link that cannot be made here, whatever its name: the file system has none, or no more to this file. */
export function isWithoutLinks(error: unknown): boolean {
  return /^(EPERM|ENOTSUP|EOPNOTSUPP|ENOSYS|EMLINK)$/.test(errnoOf(error));
}
