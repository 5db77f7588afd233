import { defaultFolders } from '../../src/config/folders.ts';
import { configJsonSchema, expectation, type SchemaNode } from '../../src/config/json-schema.ts';

export const tableBegin = '<!-- config:begin -->';
export const tableEnd = '<!-- config:end -->';

/** The README's table of every key, and of the six default folders, as Markdown. */
export function renderConfigTable(): string {
  const keys = rowsOf(configJsonSchema(), []).map(
    ({ key, node }) =>
      `| \`${key}\` | ${cell(expectation(node))} | ${defaultOf(node)} | ${cell(node.description ?? '')} |`,
  );
  const folders = [...defaultFolders].map(
    ([name, rules]) =>
      `| \`${name}\` | \`${rules.purpose}\` | \`${rules.check}\` | ${rules.priority} | ${rules.maxBytes} | \`${rules.onExpiry}\` | ${rules.renewBeforeSeconds} |`,
  );
  return [
    '| key | value | default | meaning |',
    '| --- | --- | --- | --- |',
    ...keys,
    '',
    'The default folders:',
    '',
    '| folder | `purpose` | `check` | `priority` | `maxBytes` | `onExpiry` | `renewBeforeSeconds` |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...folders,
  ].join('\n');
}

/** The text with what stands between the two markers replaced. Throws `Error` when it has no markers. */
export function withConfigTable(readme: string): string {
  const begin = readme.indexOf(tableBegin);
  const end = readme.indexOf(tableEnd);
  if (begin === -1 || end < begin) throw new Error(`no ${tableBegin} … ${tableEnd} in the text`);
  return `${readme.slice(0, begin + tableBegin.length)}\n${renderConfigTable()}\n${readme.slice(end)}`;
}

interface Row {
  readonly key: string;
  readonly node: SchemaNode;
}

function rowsOf(node: SchemaNode, path: readonly string[]): readonly Row[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]): readonly Row[] => {
    const key = [...path, name].join('.');
    if (name === '$schema') return [];
    if (child.properties !== undefined) return rowsOf(child, [...path, name]);
    const each = child.additionalProperties || undefined;
    const folder = each?.anyOf?.find((choice) => choice.properties !== undefined);
    return [{ key, node: child }, ...(folder === undefined ? [] : rowsOf(folder, [...path, name, 'NAME']))];
  });
}

function defaultOf(node: SchemaNode): string {
  return node.default === undefined ? '' : `\`${JSON.stringify(node.default)}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
