import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from './measured-process.ts';

const CONCURRENCY = 8;

/** The official package in a bare loop: every file of a folder, 8 in parallel. */
export function sdkUploads(baseUrl: string, directory: string): Command {
  const program = fileURLToPath(new URL('sdk-rival.ts', import.meta.url));
  return { file: process.execPath, args: [program, baseUrl, directory, String(CONCURRENCY)] };
}

/** One curl process that uploads every file of a folder, 8 in parallel. Prints how many seconds each took. */
export async function curlUploads(baseUrl: string, directory: string, scratch: string): Promise<Command> {
  const requests = (await readdir(directory)).map(
    (name) =>
      `url = "${baseUrl}/files"\noutput = "/dev/null"\nwrite-out = "%{time_total}\\n"\nheader = "Authorization: Bearer sk-bench"\nheader = "Expect:"\nform-string = "purpose=user_data"\nform = "file=@${join(directory, name)};type=application/octet-stream"\n`,
  );
  const config = join(scratch, 'curl.conf');
  await writeFile(config, requests.join('next\n'));
  return {
    file: 'curl',
    args: ['-s', '-S', '--parallel', '--parallel-max', String(CONCURRENCY), '--config', config],
  };
}

/** rclone from one local tree to an equal one: nothing to copy. */
export function rcloneSync(from: string, to: string): Command {
  return { file: 'rclone', args: ['sync', from, to, '--config', '/dev/null'] };
}

/** The least that a look at every file can cost. */
export function findTree(directory: string): Command {
  return { file: 'find', args: [directory, '-type', 'f', '-newermt', '2030-01-01'] };
}
