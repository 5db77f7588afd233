/** What submitting would come to, before anything is sent. */
import type { Mirrored, RequestsFile } from '../contract/batch.ts';
import type { DryFile, DryRun } from '../contract/batch-report.ts';
import type { BatchSettings } from '../contract/batch-settings.ts';
import type { MirrorPath } from '../contract/types.ts';
import type { BatchIndex } from './batch-index.ts';
import type { ReadRequests } from './ports.ts';

export async function dryRun(
  paths: readonly MirrorPath[],
  parts: {
    readonly files: ReadonlyMap<MirrorPath, Mirrored>;
    readonly index: BatchIndex;
    readonly readRequests: ReadRequests;
    readonly settings: BatchSettings;
  },
  signal: AbortSignal,
): Promise<DryRun> {
  const { files, index, readRequests, settings } = parts;
  const dry: DryFile[] = [];
  for (const path of paths) {
    const mirrored = files.get(path);
    if (mirrored === undefined) continue;
    const head = index.headOf(path, mirrored.sha256);
    const record = head === null ? null : (index.records.get(head) ?? null);
    const file = record?.file ?? (await readRequests(path, mirrored.sha256, signal));
    const submitted = record !== null && record.state !== 'wanted';
    dry.push({ path, submitted, file, money: moneyOf(file, settings.prices) });
  }
  return { files: dry, total: totalOf(dry.filter(({ submitted }) => !submitted)) };
}

/** Null: its model has no price. */
export function moneyOf(file: RequestsFile | null, prices: BatchSettings['prices']): number | null {
  const model = file?.model ?? null;
  if (file === null || model === null || !Object.hasOwn(prices, model)) return null;
  return (file.inputTokens / 1_000_000) * (prices[model] as number);
}

function totalOf(files: readonly DryFile[]): DryRun['total'] {
  const sum = (of: (file: DryFile) => number): number => files.reduce((total, each) => total + of(each), 0);
  const models = files.map(({ file }) => file?.model ?? null).filter((model) => model !== null);
  return {
    files: files.length,
    requests: sum(({ file }) => file?.requests ?? 0),
    inputTokens: sum(({ file }) => file?.inputTokens ?? 0),
    money: files.some(({ money }) => money === null) ? null : sum(({ money }) => money ?? 0),
    models: [...new Set(models)].sort(),
  };
}
