import { enableCompileCache } from 'node:module';
import { keepNewSpaceSmall } from './service/small-heap.ts';

// Before the compile cache, which is keyed by it.
keepNewSpaceSmall();
// Before anything else is loaded: parsing is most of the start of a short command.
enableCompileCache();

const { runProcess } = await import('./cli/run-process.ts');
await runProcess(() => import('./compose.ts'));
