/** Rewrites the table of faults in the README: `node test/support/write-fault-table.ts`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { faultTableBegin, faultTableEnd, withFaultTable } from './fault-table.ts';

const readme = new URL('../../README.md', import.meta.url);
const text = withFaultTable(readFileSync(readme, 'utf8'));
if (text === null) throw new Error(`no ${faultTableBegin} … ${faultTableEnd} in the README`);
writeFileSync(readme, text);
