import type { Clock, FilesApi } from '../../contract/ports.ts';

/** Unix seconds by the local clock. */
export function nowSeconds({ clock }: { readonly clock: Clock }): number {
  return Math.floor(clock.wallMs() / 1000);
}

/** Unix seconds by the server's clock, or by the local one as long as the server's is not known. */
export function serverNowSeconds({ api, clock }: { readonly api: FilesApi; readonly clock: Clock }): number {
  return Math.floor((api.serverNowMs() ?? clock.wallMs()) / 1000);
}
