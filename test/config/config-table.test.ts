import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { renderConfigTable, tableBegin, tableEnd, withConfigTable } from './config-table.ts';

describe('the configuration table', () => {
  test('has a row for every key, nested ones and those of a folder too', () => {
    const table = renderConfigTable();
    for (const key of [
      'root',
      'api.baseUrl',
      'limits.uploadsPerMinute',
      'watch.ignore',
      'folders.NAME.purpose',
      'folders.NAME.deletes.mode',
    ]) {
      expect(table).toContain(`| \`${key}\` |`);
    }
    expect(table).toContain('| `limits.concurrentUploads` | a whole number from 1 to 256 | `8` |');
    expect(table).toContain('| `batch` | `batch` | `full` | 10 | 209715200 |');
  });

  test('replaces what stands between the markers, and only that', () => {
    const text = withConfigTable(`before\n${tableBegin}\nold\n${tableEnd}\nafter\n`);
    expect(text).toBe(`before\n${tableBegin}\n${renderConfigTable()}\n${tableEnd}\nafter\n`);
    expect(withConfigTable(text)).toBe(text);
    expect(() => withConfigTable('no markers')).toThrow('config:begin');
  });

  test('is the one in the README (else run: node test/support/write-config-table.ts)', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    expect(readme).toBe(withConfigTable(readme));
  });
});
