import { z } from 'zod';
import { choice, oneDaySeconds, seconds, setting, text } from './setting.ts';

const limit = z.int().min(1).nullable();

export const batchesSchema = z.strictObject({
  resultsFolder: setting(
    text,
    'results',
    'Where answers are written, below the root: the only place where files-mirror writes. Never mirrored.',
  ),
  completionWindow: setting(
    text,
    '24h',
    'How long the server may take; OpenAI knows `24h` alone, other servers others.',
  ),
  maxOpen: setting(z.int().min(1), 50, 'Batches that may be open at once; more wait.'),
  perHour: setting(
    z.int().min(1).max(2000),
    1900,
    'Batches that may be begun in any hour, restarts included; OpenAI allows 2,000.',
  ),
  maxAtOnce: setting(
    z.int().min(0),
    20,
    'More new files than this within an hour are not submitted before `approve --submits`.',
  ),
  maxPerDay: z
    .strictObject({
      jobs: setting(limit, null, 'Batches a day (of local time); null is no limit.'),
      requests: setting(limit, null, 'Requests a day; null is no limit.'),
      inputTokens: setting(limit, null, 'Estimated input tokens a day; null is no limit.'),
    })
    .prefault({}),
  prices: setting(
    z.record(text, z.number().min(0)),
    {},
    'Money for a million input tokens, by model: then estimates are told as money too.',
  ),
  pollSeconds: setting(
    seconds(1, oneDaySeconds).nullable(),
    null,
    'How often open batches are asked for; null is 15 s at first, a minute after that, and up to ten when they are old.',
  ),
  lookSeconds: setting(
    seconds(0, oneDaySeconds),
    600,
    'How long a submission whose reply was lost is looked for in the list before it is made once more.',
  ),
  retries: setting(
    z.int().min(0).max(2),
    1,
    'How often lines that failed in passing (time-outs, 429, 5xx, expired) are submitted again by themselves.',
  ),
  onRemove: setting(
    z.enum(['finish', 'cancel']),
    'finish',
    'When the file is removed while its batch runs: `finish` fetches the results all the same, `cancel` cancels the batch.',
  ),
  onChange: setting(
    z.enum(['finish', 'cancel']),
    'finish',
    'When the file changes while its batch runs: `finish` lets the old batch go on beside the new one, `cancel` cancels it.',
  ),
  cleanUp: setting(
    z.enum(['none', 'results', 'all']),
    'none',
    'What is deleted at the API once the results are on the disk: nothing, the results, or the input as well.',
  ),
  outputExpiresAfterSeconds: setting(
    z.int().min(1).nullable(),
    null,
    'When the API shall expire results, after their creation; null leaves it to the API.',
  ),
  metadata: setting(z.record(text, z.string()), {}, 'Added to the metadata of every batch.'),
  endpointMap: setting(
    z.record(text, text),
    {},
    "For servers with other names: from a line's `url` to the endpoint that the batch is begun with.",
  ),
  idempotencyHeader: setting(
    text.nullable(),
    null,
    'A header in which the server takes a key of our own, so that it never begins a batch twice.',
  ),
});

/** Of a folder of purpose `batch`. */
export const submitSetting = choice(
  z.boolean(),
  'Submit new files as batches and write their answers below `batches.resultsFolder`. Costs money; only for purpose `batch`.',
);
