import type { Compose } from './context.ts';
import { exitCode } from './exit-code.ts';
import { processIo, tell } from './io.ts';
import { main, reportFailure } from './main.ts';

/** Runs the command line of this process, and sets its exit code. `compose`: where verbs get the parts from. */
export async function runProcess(compose: () => Promise<Compose>): Promise<void> {
  const io = processIo();

  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // The reader has seen enough (`list | head`): not an error, and nobody is left to tell.
    if (error.code === 'EPIPE') process.exit(0);
    tell(io, `files-mirror: cannot write to stdout: ${error.message}`);
    process.exit(exitCode.someFailed);
  });
  // Messages that cannot be written are no reason to stop.
  process.stderr.on('error', () => {});
  process.on('uncaughtException', (error) => process.exit(reportFailure(error, io).code));

  process.exitCode = await main(process.argv.slice(2), io, compose);
}
