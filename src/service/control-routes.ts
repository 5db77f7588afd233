import type { MirrorControl } from '../contract/report.ts';

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

/** The questions that every daemon answers. */
export function mirrorRoutes(control: MirrorControl): readonly ControlRoute[] {
  const value = (route: string, handle: (request: ControlRequest) => unknown): ControlRoute => ({
    kind: 'value',
    route,
    handle,
  });
  return [
    value('GET /v1/process', () => ({ pid: process.pid })),
    value('GET /v1/status', () => control.status()),
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
