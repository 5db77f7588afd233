import { hash } from 'node:crypto';
import { SimRandom } from './sim-random.ts';

/** What is in a folder that stands in the root's place. It must never be uploaded. */
export const strayContent = new TextEncoder().encode('{"stray":"this file belongs to another mirror"}\n');

const hashes = new WeakMap<Uint8Array, string>();

/** SHA-256, lower-case hex. Contents are never written into, so that each is hashed once. */
export function sha256Of(content: Uint8Array): string {
  let known = hashes.get(content);
  if (known === undefined) {
    known = hash('sha256', content);
    hashes.set(content, known);
  }
  return known;
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

const made = new Map<string, Uint8Array>();

/** The content that belongs to a seed and a length. The same pair is the same array. */
export function contentOf(seed: number, lengthBytes: number): Uint8Array {
  const key = `${seed}/${lengthBytes}`;
  let content = made.get(key);
  if (content === undefined) {
    content = new SimRandom(seed).bytes(lengthBytes);
    if (made.size < 4096) made.set(key, content);
  }
  return content;
}
