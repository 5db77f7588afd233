/** What is sent to begin a batch. Pure. */
import type { BatchRecord, BatchRequest, SubmissionId } from '../contract/batch.ts';
import type { BatchSettings } from '../contract/batch-settings.ts';

export const SUBMISSION_KEY = 'files_mirror_submission';
export const ATTEMPT_KEY = 'files_mirror_attempt';
const PATH_KEY = 'files_mirror_path';
const MIRROR_KEY = 'files_mirror_mirror';

const MOST_KEYS = 16;
const LONGEST_KEY = 64;
const LONGEST_VALUE = 512;

/** Null: its lines name no one endpoint, so there is nothing to ask for. */
export function requestOf(
  id: SubmissionId,
  record: BatchRecord,
  mirrorId: string,
  settings: BatchSettings,
): BatchRequest | null {
  const endpoint = record.file?.endpoint ?? null;
  if (endpoint === null) return null;
  return {
    inputFileId: record.inputFileId,
    endpoint,
    completionWindow: settings.completionWindow,
    metadata: metadataOf(id, record, mirrorId, settings.metadata),
    outputExpiresAfterSeconds: settings.outputExpiresAfterSeconds,
    // What a full queue refused is another request, which a server that heeds the key must not answer with the old one.
    submission: record.attempt === 1 ? id : `${id}-${record.attempt}`,
  };
}

function metadataOf(
  id: SubmissionId,
  record: BatchRecord,
  mirrorId: string,
  extra: Readonly<Record<string, string>>,
): Record<string, string> {
  const ours = {
    [SUBMISSION_KEY]: id,
    [ATTEMPT_KEY]: String(record.attempt),
    [PATH_KEY]: endOf(record.path),
    [MIRROR_KEY]: mirrorId,
  };
  const fitting = Object.entries(extra)
    .filter(([key]) => key.length <= LONGEST_KEY && !Object.hasOwn(ours, key))
    .slice(0, MOST_KEYS - Object.keys(ours).length)
    .map(([key, value]) => [key, value.slice(0, LONGEST_VALUE)]);
  return { ...(Object.fromEntries(fitting) as Record<string, string>), ...ours };
}

/** The end of a path says more than its beginning. No half of a character is kept. */
function endOf(path: string): string {
  if (path.length <= LONGEST_VALUE) return path;
  return `…${path.slice(1 - LONGEST_VALUE).replace(/^[\uDC00-\uDFFF]/, '')}`;
}
