import { readFile, readlink } from 'node:fs/promises';
import { isErrno } from '../contract/errno.ts';

/** Where a pid means something: boot and pid namespace. */
export async function realmOf(): Promise<string> {
  const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'unknown boot');
  const pidNamespace = await readlink('/proc/self/ns/pid').catch(() => 'host');
  return `${bootId.trim()} ${pidNamespace}`;
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isErrno(error) && error.code === 'EPERM';
  }
}

/**
 * State letter, and start time in clock ticks since boot: fields 3 and 22 of `/proc/PID/stat`, see proc(5). Null where
 * the system does not say. A zombie counts as ended.
 */
export async function processOf(
  pid: number,
): Promise<{ readonly state: string | null; readonly start: string | null }> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // The second field, the name, may contain blanks and parentheses.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields === undefined || fields[0] === 'Z') return { state: null, start: null };
  return { state: fields[0] ?? null, start: fields[19] ?? null };
}
