import { lockRoot } from '../../src/manifest/root-lock.ts';
import { lockStateDir } from '../../src/manifest/state-lock.ts';

// A program of the lock tests: takes the lock and says so, or says why not.
const [kind, path = ''] = process.argv.slice(2);
try {
  await (kind === 'root' ? lockRoot(path) : lockStateDir(path));
  console.log('locked');
  setInterval(() => {}, 60_000);
} catch (error) {
  console.log(error instanceof Error ? error.message : String(error));
}
