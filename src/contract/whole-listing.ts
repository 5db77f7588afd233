import type { ListDoubt, ListRequest, Questions } from './ports.ts';
import type { FileId, RemoteFile } from './types.ts';

/** Everything that the API lists, by id, and what the listing leaves open. */
export interface ListedFiles {
  readonly files: ReadonlyMap<FileId, RemoteFile>;
  readonly doubts: readonly ListDoubt[];
}

export async function listEverything(api: Questions, signal: AbortSignal): Promise<ListedFiles> {
  const files = new Map<FileId, RemoteFile>();
  const doubts: ListDoubt[] = [];
  const request: ListRequest = {
    purpose: null,
    order: 'desc',
    onDoubt: (doubt) => doubts.push(doubt),
  };
  for await (const page of api.list(request, signal)) {
    for (const file of page) files.set(file.id, file);
  }
  return { files, doubts };
}
