/** Rewrites the example configurations for other servers in the README: `node test/support/write-dialects.ts`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { withDialects } from './dialect-configs.ts';

const readme = new URL('../../README.md', import.meta.url);
writeFileSync(readme, withDialects(readFileSync(readme, 'utf8')));
