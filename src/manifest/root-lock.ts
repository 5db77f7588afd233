import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Server } from 'node:net';
import { lockedBy } from './state-lock.ts';
import type { Lock } from './state-lock.ts';
import { isErrno } from '../contract/errno.ts';

const answerTimeoutMs = 1_000;
const tries = 5;

/**
 * Locks a root against a second files-mirror with another state folder. Nothing may be written into the root, so
 * on Linux the lock is an abstract unix socket named by the folder's device and inode, which answers with the
 * pid and vanishes with the process; it covers one network namespace. Elsewhere it locks nothing, nor does it
 * for a root that does not exist. Throws `Fault` (`locked`, fatal).
 */
export async function lockRoot(rootPath: string): Promise<Lock> {
  const folder =
    process.platform === 'linux' ? await stat(rootPath, { bigint: true }).catch(() => null) : null;
  if (folder === null) return { close: async () => {} };
  const address = `\0files-mirror-root-${folder.dev}-${folder.ino}`;
  for (let left = tries - 1; ; left -= 1) {
    const server = await listen(address);
    if (server !== null) return { close: () => closed(server) };
    const answer = await askPid(address);
    if (answer !== 'gone' || left === 0) throw lockedBy(answer === 'gone' ? null : answer, rootPath);
  }
}

/** Null: someone else has the address. */
async function listen(address: string): Promise<Server | null> {
  const server = createServer((socket) => {
    socket.on('error', () => {}); // The asker may be gone before it is told.
    socket.end(`${process.pid}\n`);
  });
  const { promise, resolve, reject } = Promise.withResolvers<Server | null>();
  server.once('error', (error) => {
    if (isErrno(error) && error.code === 'EADDRINUSE') resolve(null);
    else reject(error);
  });
  server.listen(address, () => resolve(server));
  // The lock alone keeps no process alive.
  server.unref();
  return promise;
}

/** `gone`: nobody listens any more. Null: somebody does and does not answer, e.g. because it is stopped. */
async function askPid(address: string): Promise<number | null | 'gone'> {
  const { promise, resolve } = Promise.withResolvers<number | null | 'gone'>();
  const socket = connect(address);
  let text = '';
  socket.setEncoding('utf8');
  socket.setTimeout(answerTimeoutMs, () => socket.destroy());
  socket.on('data', (chunk: string) => (text += chunk));
  socket.on('error', (error) => resolve(isErrno(error) && error.code === 'ECONNREFUSED' ? 'gone' : null));
  socket.on('close', () => resolve(/^\d+\n$/.test(text) ? Number(text) : null));
  const answer = await promise;
  socket.destroy();
  return answer;
}

async function closed(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}
