import { z } from 'zod';
import { batchesSchema, submitSetting } from './batches-schema.ts';
import { presetNames } from './preset-names.ts';
import { choice, oneDaySeconds, seconds, setting, text } from './setting.ts';

/**
 * The one description of the configuration file. From it come the types, the defaults, the checks, the JSON
 * Schema (`config schema`) and the table in the README. Every object is strict: an unknown key is an error.
 */

const expirySchema = z.strictObject({
  field: setting(text, 'expires_after', 'The form field that asks the server to expire a file.'),
  form: setting(
    z.enum(['anchored', 'seconds', 'none']),
    'anchored',
    '`anchored` sends `FIELD[anchor]=created_at` and `FIELD[seconds]=N`, `seconds` sends `FIELD=N`; `none`: this server cannot expire files.',
  ),
  minSeconds: setting(z.int().min(1), 3600, 'The shortest life that the server takes; 14 days at Azure.'),
  maxSeconds: setting(z.int().min(1), 30 * oneDaySeconds, 'The longest life that the server takes.'),
});

const headerSchema = z.strictObject({
  file: choice(text, 'File that holds the value of this header and nothing else.'),
  env: choice(text, 'Environment variable that holds the value of this header.'),
});

const apiSchema = z.strictObject({
  preset: setting(
    z.enum(presetNames).nullable(),
    null,
    'Settings for a known server, below your own: whatever you set wins, key by key. See “Other servers”.',
  ),
  baseUrl: setting(
    z.string(),
    'https://api.openai.com/v1',
    'Where the Files API is: https; http on this machine or to a host in `allowHttp`. May have a path and a query. `OPENAI_BASE_URL` wins over it.',
  ),
  allowHttp: setting(
    z.array(text),
    [],
    'Hosts in your own network that may be spoken to by plain http, e.g. `litellm` in a compose network. Never a public name.',
  ),
  apiKeyFile: setting(
    text.nullable(),
    null,
    'File that holds the API key and nothing else. `OPENAI_API_KEY` wins over it.',
  ),
  headers: setting(
    z.record(z.string(), z.union([z.string(), headerSchema])),
    {},
    'More headers for every request: the value itself, `{"file": "…"}` or `{"env": "…"}`. Never the key: see `auth`.',
  ),
  uploadFields: setting(
    z.record(z.string(), z.string()),
    {},
    'More form fields for every upload, for gateways that want them.',
  ),
  organization: setting(
    text.nullable(),
    null,
    'Sent as `OpenAI-Organization`. `OPENAI_ORG_ID` wins over it.',
  ),
  project: setting(text.nullable(), null, 'Sent as `OpenAI-Project`. `OPENAI_PROJECT_ID` wins over it.'),
  timeoutSeconds: setting(
    seconds(0.1, oneDaySeconds),
    600,
    'How long a request may take before it counts as failed; large uploads get more.',
  ),
  auth: setting(
    z.enum(['bearer', 'api-key']),
    'bearer',
    'How the key is sent: `Authorization: Bearer …`, or an `api-key` header as Azure wants it.',
  ),
  listParameters: setting(
    z.enum(['full', 'by-purpose', 'none']),
    'full',
    '`none` for servers whose list takes no parameters and has no pages; `by-purpose` for those whose list wants a purpose: the folders’ purposes are asked for one at a time, and files of others are not seen.',
  ),
  expiry: expirySchema.prefault({}),
  deletes: setting(
    z.boolean(),
    true,
    '`false` for servers that cannot delete: removed files are `kept`, replaced ones stay and are counted.',
  ),
  pageSize: setting(
    z.int().min(1).max(10_000).nullable(),
    null,
    'Files a page of a listing; null is 1,000, and fewer by itself where the server refuses that.',
  ),
  lookSeconds: setting(
    seconds(0, oneDaySeconds),
    300,
    'How long an upload whose reply was lost is looked for in the list before it is sent anew. Must be longer than new files take to show up there.',
  ),
  trustReply: setting(
    z.array(z.enum(['bytes', 'purpose', 'filename', 'expires_at'])),
    ['bytes', 'purpose', 'filename', 'expires_at'],
    'The fields of its replies in which this server tells what it was sent. Take out what a gateway rewrites: it is not compared then, and what was sent is recorded.',
  ),
});

const limitsSchema = z.strictObject({
  uploadsPerMinute: setting(
    z.int().min(1).max(1_000_000).nullable(),
    990,
    'Most uploads in any 60 s, retries and restarts included. At most 999 for api.openai.com; null, for other servers only, is no limit.',
  ),
  concurrentUploads: setting(z.int().min(1).max(256), 8, 'Most uploads at the same time.'),
  concurrentDeletes: setting(z.int().min(1).max(256), 4, 'Most deletes at the same time.'),
  uploadBytesPerSecond: setting(
    z.int().min(1).nullable(),
    null,
    'Bandwidth of all uploads together; null is no limit.',
  ),
  storageBytes: setting(
    z.int().min(0).nullable(),
    2_500_000_000_000,
    'What the project may store in all; null when the server has no such limit.',
  ),
});

const watchSchema = z.strictObject({
  mode: setting(
    z.enum(['auto', 'native', 'polling', 'off']),
    'auto',
    '`auto` asks the system for events and polls where there are none (network file systems); `off` only rescans.',
  ),
  settleSeconds: setting(seconds(0, 3600), 2, 'How long a file must rest before it is sent.'),
  rescanSeconds: setting(
    seconds(0),
    600,
    'How often everything is looked at anew; 0 is only when events were lost.',
  ),
  pollSeconds: setting(seconds(0.1, 3600), 5, 'How often a polled folder is looked at.'),
  ignore: setting(
    z.array(z.string()),
    [],
    'More patterns to ignore, as in a .gitignore; `!pattern` takes one back, the built-in ones too.',
  ),
});

const deletesMode = z.enum(['mirror', 'keep']);

const deletesSchema = z.strictObject({
  mode: setting(
    deletesMode,
    'mirror',
    '`mirror` deletes remotely what is gone locally; `keep` never does, for drop folders that are emptied.',
  ),
  graceSeconds: setting(seconds(0), 10, 'How long a file must be gone before its remote file is deleted.'),
  maxFraction: setting(
    z.number().min(0).max(1),
    0.5,
    'More waiting deletes than this part of all entries wait for `approve`.',
  ),
  minCount: setting(z.int().min(0), 10, 'Up to this many deletes never wait for `approve`.'),
});

const requestsSchema = z.strictObject({
  endpoints: choice(
    z.array(text).nullable(),
    "What a line's `url` may be (default: OpenAI's eight batch endpoints); null is anything.",
  ),
  oneEndpoint: choice(z.boolean(), 'Whether all lines must have the same `url` (default: true).'),
  oneModel: choice(z.boolean(), 'Whether all lines must have the same `model` (default: true).'),
  required: choice(
    z.array(z.enum(['method', 'url', 'model'])),
    'What no line may leave out besides `custom_id` and `body` (default: all three; `model` where the endpoint demands one).',
  ),
  maxRequests: choice(
    z.int().min(1).nullable(),
    'Most lines of a file (default: 50,000); null is any number.',
  ),
  maxEmbeddingInputs: choice(
    z.int().min(1).nullable(),
    'Most embedding inputs of all lines together (default: 50,000); null is any number.',
  ),
});

const folderSchema = z.strictObject({
  purpose: choice(text, 'The purpose that its files are uploaded with.'),
  expiresAfterSeconds: choice(
    z.number().min(1).nullable(),
    'When the API shall expire a file, after its upload (rounded to whole seconds); null leaves it to the API. Within `api.expiry`, at OpenAI from 3600 to 2592000.',
  ),
  onExpiry: choice(
    z.enum(['forget', 'renew']),
    '`forget`: an expired file stays away until its content changes; `renew`: it is uploaded again in time.',
  ),
  renewBeforeSeconds: choice(
    seconds(0, 30 * oneDaySeconds),
    'How long before its expiry a file is renewed; never more than half of its life.',
  ),
  check: choice(
    z.enum(['full', 'lines', 'basic', 'off']),
    '`full` reads the content as the purpose demands it; `lines` demands a JSON object on every line, and no more; `basic` looks at size and extension; `off` leaves it to the server.',
  ),
  priority: choice(z.int().min(-1000).max(1000), 'Folders with a higher one are uploaded first.'),
  maxBytes: choice(z.int().min(1), 'Larger files are refused before they are sent.'),
  requests: choice(
    requestsSchema,
    "What the server demands of batch lines, where it differs from OpenAI's Batch API.",
  ),
  submit: submitSetting,
  deletes: choice(
    z.strictObject({ mode: deletesMode.optional().describe('As `deletes.mode`, for this folder alone.') }),
    'What differs from `deletes` in this folder.',
  ),
});

export const configSchema = z.strictObject({
  $schema: choice(z.string(), 'For editors; not read.'),
  root: setting(text, './openai-files', 'The mirrored folder. Relative to the configuration file.'),
  stateDir: setting(
    text.nullable(),
    null,
    'Where the manifest lives. null: `$STATE_DIRECTORY`, else `$XDG_STATE_HOME/files-mirror/<hash of root>`.',
  ),
  api: apiSchema.prefault({}),
  limits: limitsSchema.prefault({}),
  watch: watchSchema.prefault({}),
  deletes: deletesSchema.prefault({}),
  batches: batchesSchema.prefault({}),
  verifyHours: setting(
    z.number().min(0).max(500),
    24,
    'How often manifest and remote are compared; 0 is never.',
  ),
  folders: setting(
    z.record(z.string(), z.union([z.literal(false), folderSchema])),
    {},
    'Merged over the six default folders, key by key; false switches one off, a new name needs a `purpose`.',
  ),
});

/** The configuration as the file says it, defaults filled in, before folders are merged and paths resolved. */
export type ConfigFile = z.infer<typeof configSchema>;
export type FolderFile = z.infer<typeof folderSchema>;
