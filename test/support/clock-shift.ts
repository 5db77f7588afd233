import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** How far the clocks of a program are ahead of the machine's, milliseconds. */
export interface ClockShift {
  /** `Date.now`, which a person or NTP may set. */
  readonly wallMs: number;
  /** `performance.now`: as if so much time had passed. */
  readonly monotonicMs: number;
}

/** What a program must be started with so that `shiftClocks` can reach it. `orderFile`: a path that is free. */
export function withShiftableClocks(orderFile: string): {
  readonly NODE_OPTIONS: string;
  readonly CLOCK_SHIFT_FILE: string;
} {
  const preload = new URL('shifted-clocks.ts', import.meta.url);
  return { NODE_OPTIONS: `--import=${preload.href}`, CLOCK_SHIFT_FILE: orderFile };
}

/** Makes the clocks of the process `pid` jump; resolves when they have. */
export async function shiftClocks(pid: number, orderFile: string, shift: ClockShift): Promise<void> {
  const done = `${orderFile}.done`;
  rmSync(done, { force: true });
  writeFileSync(orderFile, JSON.stringify(shift));
  process.kill(pid, 'SIGUSR2');
  while (!existsSync(done)) await sleep(10);
}
