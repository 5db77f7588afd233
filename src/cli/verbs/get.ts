import { createHash, randomUUID } from 'node:crypto';
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';
import { errnoOf } from '../../contract/errno.ts';
import type { Config } from '../../config/config.ts';
import { Fault, skipFault } from '../../contract/faults.ts';
import type { Entry, FileId, MirrorPath } from '../../contract/types.ts';
import { askedApi } from '../asked-api.ts';
import type { Context } from '../context.ts';
import { print } from '../io.ts';
import { mirrorPathOf } from '../path-argument.ts';
import { defineVerb, UsageError } from '../verb.ts';

export const verb = defineVerb({
  operands: '<id>',
  positionals: { id: { type: 'string', demandOption: true, describe: 'A file id, or a mirrored path' } },
  options: {
    output: {
      type: 'string',
      alias: 'o',
      requiresArg: true,
      describe: 'Write to this file instead of stdout',
    },
  },
  async run({ id: wanted, output }, context) {
    const { config, apiKey } = await askedApi(context);
    const asked = await askedFile(wanted, config, context);
    const { openRemote } = await context.compose();
    await using remote = await openRemote(config, apiKey);
    const content = await remote.content(asked.id, new AbortController().signal);
    const chunks = asked.recorded === null ? content.chunks : asRecorded(content.chunks, asked.recorded);
    if (output === undefined) for await (const chunk of chunks) await print(context.io, chunk);
    else await writeOut(resolve(context.io.cwd, output), chunks);
  },
});

interface Recorded {
  readonly path: MirrorPath;
  readonly entry: Entry;
}

interface AskedFile {
  readonly id: FileId;
  /** Null: it is not mirrored from here, so nothing is known of its content. */
  readonly recorded: Recorded | null;
}

/** An id that is recorded, a path that is mirrored, else what looks like an id: it seldom has a slash, as paths have. */
async function askedFile(wanted: string, config: Config, context: Context): Promise<AskedFile> {
  const { readState } = await context.compose();
  const { files } = await readState(config.stateDir);
  for (const [path, entry] of files) {
    if (entry.id === wanted) return { id: wanted, recorded: { path, entry } };
  }
  const path = pathOrNull(wanted, config, context.io.cwd);
  const entry = path === null ? undefined : files.get(path);
  if (path !== null && entry !== undefined) return { id: entry.id, recorded: { path, entry } };
  if (path === null || !wanted.includes('/')) return { id: wanted, recorded: null };
  throw skipFault('no-entry', `no id for ${path}: it is not mirrored`);
}

/** What comes, and at its end a `Fault` unless it was what is recorded, to the byte. */
async function* asRecorded(
  chunks: AsyncIterable<Uint8Array>,
  { path, entry }: Recorded,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    bytes += chunk.byteLength;
    yield chunk;
  }
  const sha256 = hash.digest('hex');
  if (bytes === entry.bytes && sha256 === entry.sha256) return;
  const got = `${bytes} bytes with SHA-256 ${sha256}`;
  const expected = `${entry.bytes} bytes with SHA-256 ${entry.sha256}`;
  throw skipFault(
    'content-differs',
    `${path} (${entry.id}): the API gave ${got}, and ${expected} are recorded`,
  );
}

function pathOrNull(wanted: string, config: Config, cwd: string): string | null {
  try {
    return mirrorPathOf(wanted, config, cwd);
  } catch (error) {
    if (error instanceof UsageError && wanted !== '' && !wanted.includes('/')) return null;
    throw error;
  }
}

/**
 * A file appears, or replaces an old one, when it is complete, or not at all. What is no regular file (a pipe, a
 * device) is written into instead, since a rename would put a file in its place.
 */
async function writeOut(file: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const partial = `${file}.${randomUUID()}.part`;
  try {
    const old = await stat(file).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return null;
      throw error;
    });
    if (old?.isFile() === false) return await writeInto(await open(file, 'w'), chunks);
    try {
      await writeInto(await open(partial, 'wx', old?.mode), chunks);
      await rename(partial, file);
    } finally {
      await rm(partial, { force: true });
    }
  } catch (error) {
    const code = errnoOf(error);
    if (error instanceof Fault || code === '') throw error;
    throw skipFault('output', `cannot write ${file} (${code})`, error);
  }
}

async function writeInto(handle: FileHandle, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of chunks) await handle.writeFile(chunk);
  } finally {
    await handle.close();
  }
}
