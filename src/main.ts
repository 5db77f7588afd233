import { enableCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';

// The modules alone would make V8 enlarge its young generation by tens of megabytes. Whoever loads a manifest, or stays
// for long, has settings of its own: `young-generation.ts`, `small-heap.ts`.
// Before the compile cache, which is keyed by this.
setFlagsFromString('--semi-space-growth-factor=1');
// Before anything else is loaded: parsing is most of the start of a short command.
enableCompileCache();

const { runProcess } = await import('./cli/run-process.ts');
await runProcess(() => import('./compose.ts'));
