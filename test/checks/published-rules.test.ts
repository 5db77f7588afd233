/**
 * OpenAI's own description of the Batch API, where it lies beside the project (`BATCHES_OPENAPI` names it elsewhere):
 * what is demanded of batch lines is what is published, and a newer description tells what has changed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { OPENAI_REQUESTS } from '../../src/checks/batch-lines.ts';

const file =
  process.env['BATCHES_OPENAPI'] ??
  fileURLToPath(new URL('../../../shared/openai-batches-vector-stores-openapi.yaml', import.meta.url));

describe.skipIf(!existsSync(file))('the published rules of a batch', () => {
  const text = existsSync(file) ? readFileSync(file, 'utf8').replaceAll(/\s+/g, ' ') : '';

  test('are the endpoints', () => {
    const list = /endpoint: type: string enum: ((?:- \/v1\/\S+ )+)/.exec(text)?.[1] ?? '';
    expect(
      list
        .trim()
        .split(' ')
        .filter((word) => word !== '-'),
    ).toEqual(OPENAI_REQUESTS.endpoints);
  });

  test('are the limits', () => {
    const most = (pattern: RegExp) => Number(pattern.exec(text)?.[1]?.replaceAll(',', ''));
    expect(most(/can contain up to ([\d,]+) requests/)).toBe(OPENAI_REQUESTS.maxRequests);
    expect(most(/a maximum of ([\d,]+) embedding inputs across all requests/)).toBe(
      OPENAI_REQUESTS.maxEmbeddingInputs,
    );
  });
});
