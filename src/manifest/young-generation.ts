import { setFlagsFromString } from 'node:v8';

/**
 * Keeps V8 from enlarging its young generation until disposed of. While a manifest is loaded nearly every new object
 * stays, which V8 takes for a reason to grow that part of the heap to its limit, three times 16 MB, and it never
 * shrinks again while the program is busy. Measured with 100,000 entries: 50 MB less, in the same time.
 */
export function holdYoungGeneration(): Disposable {
  setFlagsFromString('--semi-space-growth-factor=1');
  // V8's own default.
  return { [Symbol.dispose]: () => setFlagsFromString('--semi-space-growth-factor=2') };
}
