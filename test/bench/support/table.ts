import { type BenchReport, isMet, type Row, type Unit, type Verdict } from './bench.ts';
import { median } from './statistics.ts';

const shown: Readonly<Record<Unit, (value: number) => string>> = {
  ms: (value) =>
    value >= 10_000
      ? `${(value / 1000).toFixed(1)} s`
      : value >= 10
        ? `${value.toFixed(0)} ms`
        : `${value.toFixed(2)} ms`,
  bytes: (value) => `${(value / 1e6).toFixed(0)} MB`,
  'bytes/s': (value) => `${(value / 1e6).toFixed(0)} MB/s`,
  uploads: (value) => value.toFixed(0),
  percent: (value) => `${value.toFixed(2)} %`,
  count: (value) => value.toFixed(0),
};

/** The report for people: medians with their range, then the targets. */
export function tableOf(report: BenchReport): string {
  const rows = report.rows.map(({ what, unit, values }: Row) => {
    const range =
      values.length < 2 ? '' : `${shown[unit](Math.min(...values))} … ${shown[unit](Math.max(...values))}`;
    return [what, shown[unit](median(values)), range] as const;
  });
  const width = Math.max(...rows.map(([what]) => what.length));
  const lines = rows.map(([what, value, range]) =>
    `  ${what.padEnd(width)}  ${value.padStart(11)}  ${range}`.trimEnd(),
  );
  return [...lines, ...report.verdicts.map(verdictLine)].join('\n');
}

function verdictLine(verdict: Verdict): string {
  const { target, measured, atMost, atLeast } = verdict;
  const limit = atMost === undefined ? `≥ ${atLeast}` : `≤ ${atMost}`;
  return `  ${isMet(verdict) ? 'met   ' : 'MISSED'} ${target}: ${Number(measured.toPrecision(3))} (target ${limit})`;
}
