#!/usr/bin/env node
import { enableCompileCache } from 'node:module';

// Before anything else is loaded: parsing is most of the start of a short command.
enableCompileCache();

const { processIo } = await import('./cli/io.ts');
const { main } = await import('./cli/main.ts');

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader has seen enough (`list | head`): not an error, and nobody is left to tell.
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await main(process.argv.slice(2), processIo(), () => import('./compose.ts'));
