import type { Clock, Questions } from '../../contract/ports.ts';

export interface Times {
  readonly api: Pick<Questions, 'serverNowMs'>;
  readonly clock: Clock;
}

/** Unix seconds by the local clock. */
export function nowSeconds({ clock }: Pick<Times, 'clock'>): number {
  return Math.floor(clock.wallMs() / 1000);
}

/** Unix seconds by the server's clock, or by the local one as long as the server's is not known. */
export function serverNowSeconds({ api, clock }: Times): number {
  return Math.floor((api.serverNowMs() ?? clock.wallMs()) / 1000);
}
