import type { ConfigFlags } from '../config/load.ts';

/** The options with which a command that is printed means the same mirror, each with a blank before it. */
export function sameOptions({ config, root, stateDir }: ConfigFlags): string {
  const options = { config, root, 'state-dir': stateDir };
  return Object.entries(options)
    .map(([name, value]) => (value === undefined ? '' : ` --${name} ${shellWord(value)}`))
    .join('');
}

/** As a POSIX shell reads it. */
function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
