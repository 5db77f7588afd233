import { setFlagsFromString } from 'node:v8';

/**
 * Keeps the heap near what is in use, from now on. A program that runs beside others for months should stay small, and
 * V8 would let a heap of 100,000 paths grow to three times of that, its young generation to 48 MB. Measured: 220
 * instead of 350 MB resident while uploading; at rest 195 or 270 instead of 283, as the last collection falls; for some
 * 8 % more processor time. V8 reads both settings anew at every collection.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--heap-growing-percent=60');
}
