/** Rewrites the configuration table in the README from the schema: `node test/support/write-config-table.ts`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { withConfigTable } from '../config/config-table.ts';

const readme = new URL('../../README.md', import.meta.url);
writeFileSync(readme, withConfigTable(readFileSync(readme, 'utf8')));
