import { counted, formatBytes } from '../../contract/quantities.ts';
import { doubtLines } from '../../mirror/judge/list-doubts.ts';
import { listEverything } from '../../contract/whole-listing.ts';
import { surveyRemote } from '../../mirror/judge/remote-survey.ts';
import type { PurposeUsage } from '../../contract/report.ts';
import { printable } from '../../contract/shown-text.ts';
import { askedApi } from '../asked-api.ts';
import { printFacts, tell } from '../io.ts';
import { stopOnSignals } from '../stop-signals.ts';
import { aligned, type Row } from '../../service/table.ts';
import { defineVerb, jsonOption } from '../verb.ts';

/** What `usage --json` prints. */
interface UsageReport {
  readonly version: 1;
  readonly purposes: readonly PurposeUsage[];
  /** Of all files that the key can see. */
  readonly totalBytes: number;
  /** Files whose size the API does not say: they are in no sum. */
  readonly unsizedFiles: number;
  /** `limits.storageBytes`; null: no limit is configured. */
  readonly storageBytes: number | null;
}

export const verb = defineVerb({
  options: jsonOption,
  async run({ json }, context) {
    const { config, apiKey } = await askedApi(context);
    const { openRemote, readState, usesOf } = await context.compose();
    using stop = stopOnSignals();
    const view = await readState(config.stateDir);
    await using remote = await openRemote(config, apiKey);
    const { files: listed, doubts } = await listEverything(remote, stop.signal);
    for (const line of doubtLines(doubts)) tell(context.io, line);
    const { usage } = surveyRemote(
      view,
      listed,
      Date.now() / 1000,
      new Set(config.api.trustReply),
      usesOf(view.batches).made(),
    );
    const report: UsageReport = {
      version: 1,
      purposes: usage,
      totalBytes: usage.reduce((sum, { ownedBytes, unownedBytes }) => sum + ownedBytes + unownedBytes, 0),
      unsizedFiles: usage.reduce((sum, { unsizedFiles }) => sum + unsizedFiles, 0),
      storageBytes: config.limits.storageBytes,
    };
    await printFacts(context.io, json, report, usageText(report));
  },
});

function usageText({ purposes, totalBytes, unsizedFiles, storageBytes }: UsageReport): string {
  const rows: Row[] = [
    ['purpose', 'ours', '', 'not ours', ''],
    ...purposes.map((each): Row => [
      printable(each.purpose),
      counted(each.ownedFiles, 'file'),
      formatBytes(each.ownedBytes),
      counted(each.unownedFiles, 'file'),
      formatBytes(each.unownedBytes),
    ]),
  ];
  const unsized =
    unsizedFiles === 0 ? '' : `, and ${counted(unsizedFiles, 'file')} whose size the API does not say`;
  return `${aligned(rows)}\n${totalText(totalBytes, storageBytes)}${unsized}\n`;
}

function totalText(totalBytes: number, storageBytes: number | null): string {
  if (storageBytes === null) return `total ${formatBytes(totalBytes)}; no limit is configured`;
  const percent = storageBytes === 0 ? 100 : (100 * totalBytes) / storageBytes;
  return `total ${formatBytes(totalBytes)} of ${formatBytes(storageBytes)} (${percent.toFixed(1)} %)`;
}
