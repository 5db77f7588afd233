/** What was measured at one number of files. */
export interface GrowthPoint {
  readonly count: number;
  readonly wallMs: number;
  readonly findMs: number;
  readonly peakRssBytes: number;
}

interface Series {
  readonly label: string;
  readonly colour: string;
  readonly valueOf: (point: GrowthPoint) => number;
}

interface Panel {
  readonly title: string;
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
}

const PANEL_WIDTH = 400;
const PANEL_HEIGHT = 280;
const MARGIN = { left: 64, right: 24, top: 48, bottom: 52 } as const;

const panels: readonly Panel[] = [
  {
    title: 'sync of unchanged files: time, start to exit',
    series: [
      { label: 'files-mirror sync', colour: '#2563eb', valueOf: ({ wallMs }) => wallMs / 1000 },
      { label: 'find', colour: '#9ca3af', valueOf: ({ findMs }) => findMs / 1000 },
    ],
    format: (seconds) => `${seconds} s`,
  },
  {
    title: 'peak resident memory',
    series: [
      { label: 'files-mirror sync', colour: '#2563eb', valueOf: ({ peakRssBytes }) => peakRssBytes / 1e6 },
    ],
    format: (megabytes) => `${megabytes} MB`,
  },
];

/** Two panels, both axes logarithmic: what grows with the number of files is a line of slope one (dashed). */
export function growthChart(points: readonly GrowthPoint[]): string {
  const width = panels.length * (PANEL_WIDTH + MARGIN.left + MARGIN.right);
  const height = PANEL_HEIGHT + MARGIN.top + MARGIN.bottom;
  const drawn = panels.map((panel, index) => {
    const x = index * (PANEL_WIDTH + MARGIN.left + MARGIN.right) + MARGIN.left;
    return `<g transform="translate(${x} ${MARGIN.top})">${panelOf(panel, points)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...drawn,
    '</svg>\n',
  ].join('\n');
}

/** Positions on an axis that covers whole powers of ten. */
interface LogAxis {
  readonly ticks: readonly number[];
  at(value: number): number;
}

function logAxis(values: readonly number[], lengthPixels: number): LogAxis {
  const first = Math.floor(Math.log10(Math.min(...values)) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...values)) - 1e-9));
  return {
    ticks: Array.from({ length: last - first + 1 }, (_, n) => Number((10 ** (first + n)).toPrecision(1))),
    at: (value) => ((Math.log10(value) - first) / (last - first)) * lengthPixels,
  };
}

function panelOf({ title, series, format }: Panel, points: readonly GrowthPoint[]): string {
  const across = logAxis(
    points.map(({ count }) => count),
    PANEL_WIDTH,
  );
  const up = logAxis(
    series.flatMap(({ valueOf }) => points.map(valueOf)),
    PANEL_HEIGHT,
  );
  const y = (value: number): number => PANEL_HEIGHT - up.at(value);
  const parts = [text(PANEL_WIDTH / 2, -24, title, 'middle', ' font-weight="600"')];
  for (const tick of up.ticks) {
    parts.push(line(0, y(tick), PANEL_WIDTH, y(tick), '#e5e7eb'), text(-8, y(tick) + 4, format(tick), 'end'));
  }
  for (const tick of across.ticks) {
    parts.push(line(across.at(tick), 0, across.at(tick), PANEL_HEIGHT, '#e5e7eb'));
    parts.push(text(across.at(tick), PANEL_HEIGHT + 18, tick.toLocaleString('en'), 'middle'));
  }
  parts.push(text(PANEL_WIDTH / 2, PANEL_HEIGHT + 40, 'files', 'middle'));
  parts.push(slopeOne(series[0], points, across, y));
  for (const [index, each] of series.entries()) parts.push(curve(each, points, across, y, format, index));
  return parts.join('\n');
}

/** Where the last point would have come from, were the cost strictly proportional to the number of files. */
function slopeOne(
  series: Series | undefined,
  points: readonly GrowthPoint[],
  across: LogAxis,
  y: (value: number) => number,
): string {
  const last = points.at(-1);
  if (last === undefined || series === undefined) return '';
  const floor = series.valueOf(points[0] ?? last);
  const fromCount = Math.max(points[0]?.count ?? 1, (last.count * floor) / series.valueOf(last));
  const fromValue = (series.valueOf(last) * fromCount) / last.count;
  return line(
    across.at(fromCount),
    y(fromValue),
    across.at(last.count),
    y(series.valueOf(last)),
    '#f59e0b',
    ' stroke-dasharray="4 4"',
  );
}

function curve(
  { label, colour, valueOf }: Series,
  points: readonly GrowthPoint[],
  across: LogAxis,
  y: (value: number) => number,
  format: (value: number) => string,
  index: number,
): string {
  const places = points.map((point) => ({
    x: across.at(point.count),
    y: y(valueOf(point)),
    value: valueOf(point),
  }));
  const path = places.map(({ x, y: height }) => `${round(x)},${round(height)}`).join(' ');
  const dots = places.map(({ x, y: height, value }) => {
    const shown = format(Number(value.toPrecision(2)));
    return `<circle cx="${round(x)}" cy="${round(height)}" r="3" fill="${colour}"><title>${label}: ${shown}</title></circle>${text(x, height - 8, shown, 'middle', ` fill="${colour}" font-size="10"`)}`;
  });
  const legend = text(12, 16 + index * 16, label, 'start', ` fill="${colour}"`);
  return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}${legend}`;
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string, more = ''): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${colour}"${more}/>`;
}

function text(x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end', more = ''): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}"${more}>${content}</text>`;
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}
