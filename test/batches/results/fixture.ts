/** A root, a state folder and an API in memory for the tests of results. They go with the test. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { BatchRecord, RemoteBatch } from '../../../src/contract/batch.ts';
import { Fault } from '../../../src/contract/faults.ts';
import type { Clock, UploadRequest } from '../../../src/contract/ports.ts';
import type { RemoteFile } from '../../../src/contract/types.ts';
import type { BatchFiles, ResultsDesk } from '../../../src/batches/ports.ts';
import { createResultsDesk } from '../../../src/batches/results/results-desk.ts';
import type { ResultsDeskOptions } from '../../../src/batches/results/results-desk.ts';

export const never = new AbortController().signal;

export function sha256Of(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

export function request(id: string, content = 'hello'): string {
  const body = { model: 'gpt-4o-mini', messages: [{ role: 'user', content }] };
  return JSON.stringify({ custom_id: id, method: 'POST', url: '/v1/chat/completions', body });
}

export function answer(id: string, content = 'hi'): string {
  const response = { status_code: 200, request_id: 'r', body: { choices: [{ message: { content } }] } };
  return JSON.stringify({ id: `batch_req_${id}`, custom_id: id, response, error: null });
}

export function failed(id: string, status = 400, code = 'invalid_value'): string {
  const response = { status_code: status, request_id: 'r', body: { error: { code, message: `no: ${id}` } } };
  return JSON.stringify({ id: `batch_req_${id}`, custom_id: id, response, error: null });
}

export function expired(id: string): string {
  const error = { code: 'batch_expired', message: 'This request could not be executed in time.' };
  return JSON.stringify({ id: `batch_req_${id}`, custom_id: id, response: null, error });
}

export function fileOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

interface StoredFile {
  readonly content: Buffer;
  readonly filename: string;
  readonly createdAt: number;
  /** What the server says; null: nothing. */
  bytes: number | null;
}

/** What becomes of an upload. `lost`: it is stored, and the reply is lost. */
type UploadFate = 'done' | 'lost' | 'refused' | 'lost-before';

export class FakeFiles implements BatchFiles {
  readonly files = new Map<string, StoredFile>();
  readonly known = new Set<string>();
  readonly fates: UploadFate[] = [];
  uploads = 0;
  downloads = 0;
  nowMs = 1_763_766_000_000;
  /** How many bytes of the next downloads come; then they end, or break. */
  readonly cuts: { readonly bytes: number; readonly breaks: boolean }[] = [];
  chunkBytes = 1000;
  listed = true;

  put(id: string, content: string | Buffer, filename = 'x.jsonl'): void {
    const bytes = Buffer.from(content as string);
    this.files.set(id, {
      content: bytes,
      filename,
      createdAt: Math.floor(this.nowMs / 1000),
      bytes: bytes.length,
    });
  }

  async upload(request: UploadRequest): Promise<RemoteFile> {
    this.uploads += 1;
    const chunks: Uint8Array[] = [];
    for await (const chunk of request.body()) chunks.push(Buffer.from(chunk));
    const fate = this.fates.shift() ?? 'done';
    if (fate === 'refused') throw fault('refused', 'server-400');
    if (fate === 'lost-before') throw fault('unknown', 'network');
    const id = `file-up-${this.uploads}`;
    this.put(id, Buffer.concat(chunks), request.remoteName);
    if (fate === 'lost') throw fault('unknown', 'network');
    return this.#described(id);
  }

  async *list(): AsyncGenerator<readonly RemoteFile[]> {
    if (this.listed) yield [...this.files.keys()].map((id) => this.#described(id)).toReversed();
  }

  async retrieve(id: string): Promise<RemoteFile | null> {
    return this.files.has(id) ? this.#described(id) : null;
  }

  async content(id: string): Promise<{ readonly chunks: AsyncIterable<Uint8Array> }> {
    const file = this.files.get(id);
    if (file === undefined) throw fault('refused', 'server-404', 404);
    this.downloads += 1;
    const { chunkBytes } = this;
    const cut = this.cuts.shift();
    async function* chunks(content: Buffer): AsyncGenerator<Uint8Array> {
      const shown = content.subarray(0, cut?.bytes ?? content.length);
      for (let at = 0; at < shown.length; at += chunkBytes) yield shown.subarray(at, at + chunkBytes);
      if (cut?.breaks === true) throw fault('refused', 'network');
    }
    return { chunks: chunks(file.content) };
  }

  isKnown(id: string): boolean {
    return this.known.has(id);
  }

  serverNowMs(): number {
    return this.nowMs;
  }

  #described(id: string): RemoteFile {
    const { bytes = null, createdAt = 0, filename = '' } = this.files.get(id) ?? {};
    return { id, bytes, createdAt, expiresAt: null, filename, purpose: 'batch' };
  }
}

function fault(outcome: 'refused' | 'unknown', rule: string, status?: number): Fault {
  return new Fault(rule, {
    disposition: 'retry',
    outcome,
    rule,
    ...(status === undefined ? {} : { status }),
  });
}

export interface Place {
  readonly root: string;
  readonly stateDir: string;
  readonly files: FakeFiles;
  desk(options?: Partial<ResultsDeskOptions>): ResultsDesk;
  put(path: string, content: string): Promise<void>;
  read(path: string): Promise<string>;
  /** Below `results`, sorted. */
  results(): Promise<readonly string[]>;
}

export async function place(): Promise<Place> {
  const base = await mkdtemp(join(tmpdir(), 'results-'));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  const root = join(base, 'root');
  const stateDir = join(base, 'state');
  await mkdir(root);
  await mkdir(stateDir, { mode: 0o700 });
  const files = new FakeFiles();
  const clock: Clock = {
    wallMs: () => files.nowMs,
    monotonicMs: () => files.nowMs,
    sleep: async () => {},
  };
  return {
    root,
    stateDir,
    files,
    desk: (options = {}) =>
      createResultsDesk({
        root,
        stateDir,
        resultsFolder: 'results',
        keepsFolder: false,
        files,
        clock,
        lookSeconds: 600,
        expiresAfterSeconds: null,
        assertRoot: async () => {},
        ...options,
      }),
    async put(path, content) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), content);
    },
    read: (path) => readFile(join(root, path), 'utf8'),
    async results() {
      const entries = await readdir(join(root, 'results'), { recursive: true, withFileTypes: true }).catch(
        () => [],
      );
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(join(root, 'results').length + 1))
        .sort();
    },
  };
}

export function batchOf(fields: Partial<RemoteBatch> = {}): RemoteBatch {
  return {
    id: 'batch_1',
    status: 'completed',
    endpoint: '/v1/chat/completions',
    inputFileId: 'file-in',
    outputFileId: null,
    errorFileId: null,
    createdAt: 1_763_766_000,
    inProgressAt: null,
    finalizingAt: null,
    expiresAt: 1_763_852_400,
    endedAt: 1_763_769_600,
    counts: null,
    usage: null,
    metadata: null,
    problems: [],
    ...fields,
  };
}

export function recordOf(input: string, fields: Partial<BatchRecord> = {}): BatchRecord {
  const requests = input.split('\n').filter((line) => line !== '').length;
  return {
    path: 'batch/2026/a.jsonl',
    sha256: sha256Of(input),
    inputFileId: 'file-in',
    file: { requests, endpoint: '/v1/chat/completions', model: 'gpt-4o-mini', inputTokens: 1 },
    generation: 0,
    of: null,
    attempt: 1,
    wantedAt: 1_763_765_000,
    byHand: false,
    leftAlone: false,
    approved: false,
    countedOn: null,
    state: 'settled',
    hold: null,
    submission: null,
    former: [],
    twinsUntil: null,
    twins: [],
    wish: null,
    foundBy: 'reply',
    batch: batchOf(),
    polledAt: null,
    results: null,
    cleaned: false,
    problem: null,
    ...fields,
  };
}
