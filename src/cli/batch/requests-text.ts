import type { RequestsFile } from '../../contract/batch.ts';
import { counted } from '../../contract/quantities.ts';
import { printable } from '../../contract/shown-text.ts';

/** E.g. `3 requests, gpt-4o-mini, about 69 input tokens`. `money`: null: not known. */
export function requestsText({
  requests,
  model,
  inputTokens,
  money = null,
}: Pick<RequestsFile, 'requests' | 'model' | 'inputTokens'> & { readonly money?: number | null }): string {
  return [
    counted(requests, 'request'),
    ...(model === null ? [] : [printable(model)]),
    `about ${counted(inputTokens, 'input token')}`,
    ...(money === null ? [] : [moneyText(money)]),
  ].join(', ');
}

/** Whatever money `batches.prices` is in. */
export function moneyText(money: number): string {
  return `input for ${money.toFixed(money < 1 ? 4 : 2)}`;
}
