/** The thread behind `HashThread`: SHA-256 of several contents at once, each fed in order through shared memory. */
import { createHash, type Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import type { HashReply, HashRequest } from './hash-thread.ts';

const contents = new Map<number, Hash>();

parentPort?.on('message', (request: HashRequest) => {
  const { content } = request;
  const hash = contents.get(content) ?? createHash('sha256');
  switch (request.kind) {
    case 'update':
      contents.set(content, hash.update(request.bytes));
      reply({ content, sha256: null });
      break;
    case 'digest':
      contents.delete(content);
      reply({ content, sha256: hash.digest('hex') });
      break;
    case 'drop':
      contents.delete(content);
  }
});

function reply(message: HashReply): void {
  parentPort?.postMessage(message);
}
