import type { Sandbox } from './sandbox.ts';

const shownViolations = 20;

/** A table of figures on stdout. */
export function report(figures: Readonly<Record<string, string | number>>): void {
  const width = Math.max(...Object.keys(figures).map((name) => name.length));
  for (const [name, value] of Object.entries(figures)) console.log(`${name.padEnd(width)}  ${value}`);
}

export function progress(text: string): void {
  console.error(`… ${text}`);
}

/** Runs the torture to its end. With violations the sandbox is kept, and the program exits with 1. */
export async function judged(
  sandbox: Sandbox,
  seed: number,
  torture: () => Promise<readonly string[]>,
): Promise<void> {
  let violations: readonly string[] = ['it was not finished'];
  try {
    violations = await torture();
  } finally {
    const failed = violations.length > 0;
    for (const violation of violations.slice(0, shownViolations)) console.log(`VIOLATION ${violation}`);
    if (failed) {
      console.log(
        `${violations.length} violations with --seed ${seed}; everything is kept in ${sandbox.folder}`,
      );
      process.exitCode = 1;
    }
    await sandbox.close(failed);
  }
}
