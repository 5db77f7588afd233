import { enableCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';

// The modules alone would make V8 enlarge its young generation by tens of megabytes. Whoever loads a manifest, or stays
// for long, has settings of its own: `young-generation.ts`, `small-heap.ts`.
// Before the compile cache, which is keyed by this.
setFlagsFromString('--semi-space-growth-factor=1');
// Before anything else is loaded: parsing is most of the start of a short command.
enableCompileCache();

const { exitCode } = await import('./cli/exit-code.ts');
const { processIo, tell } = await import('./cli/io.ts');
const { main, reportFailure } = await import('./cli/main.ts');
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

process.exitCode = await main(process.argv.slice(2), io, () => import('./compose.ts'));
