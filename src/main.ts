#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';

// A program that runs beside others for months should stay small, and V8 would let a heap of 100,000 paths grow to
// three times of what is in use, and its young generation to 48 MB while a manifest is loaded, never to shrink again.
// Measured: 219 instead of 283 MB resident at rest, while uploading 220 instead of 350.
// Both are read anew at every collection. The second one waits: it would slow the loading of a large manifest down.
// Before the compile cache, which is keyed by them.
setFlagsFromString('--semi-space-growth-factor=1');
setTimeout(() => setFlagsFromString('--heap-growing-percent=60'), 3000).unref();

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
