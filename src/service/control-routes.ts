import type { BatchControl } from '../contract/batch-report.ts';
import type { AppStatus, MirrorControl } from '../contract/report.ts';

/** What a handler gets. `signal` aborts when the asker goes away, the time is up, or the daemon stops. */
export interface ControlRequest {
  readonly query: URLSearchParams;
  readonly body: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
}

/** One thing that may be asked of a running daemon. Its result goes out as JSON, an iterable as a list. */
export type ControlRoute =
  | { readonly kind: 'value'; readonly route: string; readonly handle: (request: ControlRequest) => unknown }
  | {
      readonly kind: 'list';
      readonly route: string;
      readonly handle: (request: ControlRequest) => Iterable<unknown> | AsyncIterable<unknown>;
    };

/** A request that makes no sense; answered with 400. */
export class BadRequest extends Error {}

/** Who answers. */
export interface Answering {
  readonly control: MirrorControl;
  readonly batches: BatchControl;
  status(): AppStatus;
}

function value(route: string, handle: (request: ControlRequest) => unknown): ControlRoute {
  return { kind: 'value', route, handle };
}

/** The questions that every daemon answers. */
export function daemonRoutes(daemon: Answering): readonly ControlRoute[] {
  return [
    value('GET /v1/status', () => daemon.status()),
    ...mirrorRoutes(daemon.control),
    ...batchRoutes(daemon.batches),
  ];
}

function batchRoutes(batches: BatchControl): readonly ControlRoute[] {
  const paths = (body: ControlRequest['body']): readonly string[] =>
    textsOrNull(body['paths'], 'paths') ?? [];
  return [
    { kind: 'list', route: 'GET /v1/batches', handle: () => batches.list() },
    value('GET /v1/batch', ({ query }) => batches.show(text(query.get('path'), 'path'))),
    value('POST /v1/batches/submit', ({ body }) =>
      batches.submit(paths(body), { again: body['again'] === true }),
    ),
    value('POST /v1/batches/cancel', ({ body }) => batches.cancel(paths(body))),
    value('POST /v1/batches/retry', ({ body }) => batches.retry(paths(body))),
    value('POST /v1/batches/resolve', ({ body }) => {
      const batch = body['batch'] ?? null;
      const word = body['none'] === true ? 'none' : batch === null ? null : { batch: text(batch, 'batch') };
      return batches.resolve(text(body['path'], 'path'), word);
    }),
    value('POST /v1/batches/approve', async () => ({ approved: await batches.approveSubmits() })),
    value('POST /v1/batches/wait', async ({ body, signal }) => ({
      outcome: await batches.wait(textsOrNull(body['paths'], 'paths'), signal),
    })),
  ];
}

function mirrorRoutes(control: MirrorControl): readonly ControlRoute[] {
  return [
    value('GET /v1/process', () => ({ pid: process.pid })),
    value('GET /v1/report', ({ query }) => control.report(text(query.get('path'), 'path'))),
    { kind: 'list', route: 'GET /v1/list', handle: () => control.reports() },
    value('POST /v1/flush', ({ signal }) => control.flush(signal)),
    value('POST /v1/wait', ({ body, signal }) => control.waitFor(text(body['path'], 'path'), signal)),
    value('POST /v1/approve', async ({ body }) => {
      const folder = body['folder'] ?? null;
      return { approved: await control.approve(folder === null ? null : text(folder, 'folder')) };
    }),
    value('POST /v1/pause', () => {
      control.pause();
      return {};
    }),
    value('POST /v1/resume', () => {
      control.resume();
      return {};
    }),
    value('POST /v1/verify', ({ body, signal }) =>
      control.verify(body['repair'] === true, signal, body['wait'] === true),
    ),
    value('POST /v1/orphans/delete', async () => ({ deleting: await control.deleteOrphans() })),
    value('POST /v1/retry', async ({ body }) => ({
      retried: await control.retry(textsOrNull(body['paths'], 'paths')),
    })),
    value('POST /v1/rescan', async () => {
      await control.rescan();
      return {};
    }),
  ];
}

function textsOrNull(value: unknown, name: string): readonly string[] | null {
  if (value === undefined || value === null) return null;
  if (!Array.isArray(value)) throw new BadRequest(`"${name}" must be a list of texts`);
  return value.map((each) => text(each, name));
}

function text(value: unknown, name: string): string {
  if (typeof value !== 'string' || value === '') throw new BadRequest(`"${name}" must be a text`);
  return value;
}
