import { counted, formatBytes } from '../../contract/quantities.ts';
import type { FlushResult, VerifyReport } from '../../contract/report.ts';
import { printable } from '../../contract/shown-text.ts';
import type { Context } from '../context.ts';
import { exitCode, exitCodeOfResult } from '../exit-code.ts';
import { printFlushResult } from '../flush-report.ts';
import { printFacts } from '../io.ts';
import { mirrorOnce } from '../one-shot.ts';
import { defineVerb, jsonOption } from '../verb.ts';

/** Of each kind so many are named; `--json` names them all. */
const mostNamed = 20;

interface Verification {
  readonly report: VerifyReport;
  /** What came of the repair; null without one. */
  readonly repair: FlushResult | null;
}

/** Exit code: 2 if anything is missing, differs, has expired, or could not be judged; with `--repair`, what is left of that, or failed. */
export const verb = defineVerb({
  options: {
    ...jsonOption,
    repair: { type: 'boolean', default: false, describe: 'Upload again what is gone at the API' },
    wait: {
      type: 'boolean',
      default: false,
      describe: 'Wait, a minute at most, until files that were just uploaded can be judged',
    },
  },
  async run({ json, repair: wanted, wait }, context) {
    const { report, repair } = await verification(wanted, wait, context);
    await printFacts(context.io, json, report, verifyText(report));
    if (repair !== null && !json) await printFlushResult(context, repair, false);
    const missing = repair === null ? report.missing.length : 0;
    const { differing, expired, unjudged } = report;
    const amiss = missing + differing.length + expired.length + unjudged.length > 0;
    const repairCode = repair === null ? exitCode.done : exitCodeOfResult(repair);
    return repairCode || (amiss ? exitCode.pending : exitCode.done);
  },
});

async function verification(repair: boolean, wait: boolean, context: Context): Promise<Verification> {
  const { config } = await context.loadConfig();
  const daemon = await context.findDaemon(config);
  if (daemon !== null) {
    const report = await daemon.verify(repair, wait);
    return { report, repair: repair ? await daemon.flush(null) : null };
  }
  return await mirrorOnce(context, async (mirror, signal) => {
    const report = await mirror.control.verify(repair, signal, wait);
    return { report, repair: repair ? await mirror.converge(signal) : null };
  });
}

function verifyText({
  checked,
  unjudged,
  missing,
  differing,
  expired,
  usage,
  repaired,
}: VerifyReport): string {
  const fate = repaired ? ': gone at the API, uploaded again' : ': gone at the API';
  const lines = [
    ...named('missing', missing, ({ path, id }) => `${printable(path)} (${printable(id)})${fate}`),
    ...named(
      'differing',
      differing,
      ({ path, id, what }) => `${printable(path)} (${printable(id)}): ${printable(what)}`,
    ),
    ...named('expired', expired, printable),
    ...named('unjudged', unjudged, (path) => `${printable(path)}: the API does not show it, perhaps not yet`),
    ...usage
      .filter(({ unownedFiles }) => unownedFiles > 0)
      .map(
        ({ purpose, unownedFiles, unownedBytes }) =>
          `${'not ours'.padEnd(9)}  ${printable(purpose)}: ${counted(unownedFiles, 'file')}, ${formatBytes(unownedBytes)}`,
      ),
    `${counted(checked, 'mirrored file')} compared: ${missing.length} missing, ${differing.length} differing, ${expired.length} expired`,
    ...(unjudged.length === 0
      ? []
      : [
          `${counted(unjudged.length, 'more file')} could not be judged; a file may be shown a minute after its upload, which --wait waits for`,
        ]),
  ];
  return `${lines.join('\n')}\n`;
}

function named<T>(label: string, items: readonly T[], textOf: (item: T) => string): readonly string[] {
  const lines = items.slice(0, mostNamed).map((item) => `${label.padEnd(9)}  ${textOf(item)}`);
  const more = items.length - lines.length;
  return more > 0 ? [...lines, `${label.padEnd(9)}  … and ${more} more (--json names them)`] : lines;
}
