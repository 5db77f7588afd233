/** An emulator in a process of its own, to be killed. Tells its parent where uploads go. Its second argument is JSON of more options. */
import { startEmulator } from '../support/faulty-emulator.ts';

const [dataDir = '', options = '{}'] = process.argv.slice(2);
const { url } = await startEmulator({ dataDir, ...(JSON.parse(options) as object) });
process.send?.(`${url}/files`);
