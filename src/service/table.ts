/** The cells of one line. */
export type Row = readonly string[];

/** Some servers' ids have hundreds of characters: a cell longer than this moves the rest of its own line only. */
const WIDEST_COLUMN = 60;

/** Columns as wide as their longest cell, within limits, two blanks apart; no blanks at the ends of lines. */
export function aligned(rows: readonly Row[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries())
      widths[column] = Math.max(widths[column] ?? 0, Math.min(WIDEST_COLUMN, cell.length));
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
