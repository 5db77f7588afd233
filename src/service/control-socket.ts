import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from '../config/config.ts';
import { configFault } from '../contract/faults.ts';

/** What `sun_path` of a Unix socket's address can hold, without its NUL. */
const longestSocketPathBytes = process.platform === 'linux' ? 107 : 103;

/** Names the socket when it could not be put into the state folder. */
const pointerName = 'control.path';

/**
 * Where the control socket of this state folder shall be: in it, or, where that path would be too long for a
 * socket, in a folder of its own below `$XDG_RUNTIME_DIR` or the temporary folder, recorded in `control.path`.
 * Throws `Fault` with rule `config` when that folder belongs to somebody else.
 */
export async function placeControlSocket(stateDir: string, env: Environment): Promise<string> {
  const pointer = join(stateDir, pointerName);
  const usual = join(stateDir, 'control.sock');
  if (Buffer.byteLength(usual) <= longestSocketPathBytes) {
    await rm(pointer, { force: true });
    return usual;
  }
  const hash = createHash('sha256').update(stateDir).digest('hex').slice(0, 16);
  const runtimeDir = env['XDG_RUNTIME_DIR'];
  const folder = runtimeDir
    ? join(runtimeDir, `files-mirror-${hash}`)
    : join(tmpdir(), `files-mirror-${process.getuid?.()}-${hash}`);
  await claimFolder(folder);
  const socketPath = join(folder, 'control.sock');
  await writeFile(`${pointer}.tmp`, socketPath, { mode: 0o600 });
  await rename(`${pointer}.tmp`, pointer);
  return socketPath;
}

/** Where a running daemon's control socket would be. */
export async function findControlSocket(stateDir: string): Promise<string> {
  try {
    return await readFile(join(stateDir, pointerName), 'utf8');
  } catch {
    return join(stateDir, 'control.sock');
  }
}

/** A folder in a place where everybody may write is only ours if nobody else made it first. */
async function claimFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw configFault(
      `${folder} belongs to somebody else; set XDG_RUNTIME_DIR, or give a shorter --state-dir`,
    );
  }
  await chmod(folder, 0o700);
}
