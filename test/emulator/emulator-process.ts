/** An emulator in a process of its own, to be killed. Tells its parent where uploads go. */
import { startEmulator } from '../../src/emulator/emulator.ts';

const [dataDir = ''] = process.argv.slice(2);
const { url } = await startEmulator({ dataDir });
process.send?.(`${url}/files`);
