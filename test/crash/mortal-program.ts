/** The built program with `fail-points.ts` around its ports, which the program that people install does not have. */
import type * as RunProcess from '../../src/cli/run-process.ts';
import type * as Compose from '../../src/compose.ts';
import { withFailPoints } from './fail-points.ts';

async function built(file: string): Promise<unknown> {
  return await import(new URL(`../../dist/${file}`, import.meta.url).href);
}

const { runProcess } = (await built('run-process.js')) as typeof RunProcess;
await runProcess(async () => {
  const compose = (await built('compose.js')) as typeof Compose;
  return {
    ...compose,
    openMirror: (options) => compose.openMirror(options, (ports) => withFailPoints(ports, process.env)),
  };
});
