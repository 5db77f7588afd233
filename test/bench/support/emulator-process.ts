/** The emulator as a target to measure clients against: it checks everything, and keeps nothing but metadata. */
import { startEmulator } from '../../../src/emulator/emulator.ts';

const { url } = await startEmulator({ discard: true, uploadsPerMinute: null, storageBytes: null });
console.log(url);
// Nobody is left to measure.
process.stdin.on('end', () => process.exit()).resume();
