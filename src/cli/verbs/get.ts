import { randomUUID } from 'node:crypto';
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Config } from '../../config/config.ts';
import { Fault } from '../../mirror/faults.ts';
import type { FileId } from '../../mirror/types.ts';
import { askedApi } from '../asked-api.ts';
import type { Context } from '../context.ts';
import { exitCode } from '../exit-code.ts';
import { print } from '../io.ts';
import { mirrorPathOf } from '../path-argument.ts';
import { UsageError } from '../usage-error.ts';
import { defineVerb } from '../verb.ts';

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
    const id = await fileIdOf(wanted, config, context);
    const { openRemote } = await context.compose();
    const remote = await openRemote(config, apiKey);
    try {
      const { chunks } = await remote.content(id, new AbortController().signal);
      if (output === undefined) for await (const chunk of chunks) await print(context.io, chunk);
      else await writeOut(resolve(context.io.cwd, output), chunks);
      return exitCode.done;
    } finally {
      await remote.close();
    }
  },
});

/** A path that is mirrored, else what looks like an id: ids have no slash, and mirrored paths have one. */
async function fileIdOf(wanted: string, config: Config, context: Context): Promise<FileId> {
  const path = pathOrNull(wanted, config, context.io.cwd);
  if (path === null) return wanted;
  const { readState } = await context.compose();
  const entry = (await readState(config.stateDir)).files.get(path);
  if (entry !== undefined) return entry.id;
  if (!wanted.includes('/')) return wanted;
  throw new Fault(`no id for ${path}: it is not mirrored`, {
    disposition: 'skip',
    outcome: 'refused',
    rule: 'no-entry',
  });
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
    const old = await stat(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
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
    const code = (error as NodeJS.ErrnoException).code;
    if (error instanceof Fault || code === undefined) throw error;
    throw new Fault(`cannot write ${file} (${code})`, {
      disposition: 'skip',
      outcome: 'refused',
      rule: 'output',
      cause: error,
    });
  }
}

async function writeInto(handle: FileHandle, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of chunks) await handle.writeFile(chunk);
  } finally {
    await handle.close();
  }
}
