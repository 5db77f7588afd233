import { z } from 'zod';
import { presetNames } from './preset-names.ts';

/**
 * The one description of the configuration file. From it come the types, the defaults, the checks, the JSON
 * Schema (`config schema`) and the table in the README. Every object is strict: an unknown key is an error.
 */

/** Longest wait a key may ask for: a timer cannot be set for more than 2^31 ms, about 24.8 days. */
const longestSeconds = 2_000_000;
const oneDaySeconds = 86_400;

const seconds = (min: number, max: number = longestSeconds) => z.number().min(min).max(max);

const expirySchema = z.strictObject({
  field: z
    .string()
    .min(1)
    .default('expires_after')
    .describe('The form field that asks the server to expire a file.'),
  form: z
    .enum(['anchored', 'seconds', 'none'])
    .default('anchored')
    .describe(
      '`anchored` sends `FIELD[anchor]=created_at` and `FIELD[seconds]=N`, `seconds` sends `FIELD=N`; `none`: this server cannot expire files.',
    ),
  minSeconds: z
    .int()
    .min(1)
    .default(3600)
    .describe('The shortest life that the server takes; 14 days at Azure.'),
  maxSeconds: z
    .int()
    .min(1)
    .default(30 * oneDaySeconds)
    .describe('The longest life that the server takes.'),
});

const headerSchema = z.strictObject({
  file: z.string().min(1).optional().describe('File that holds the value of this header and nothing else.'),
  env: z.string().min(1).optional().describe('Environment variable that holds the value of this header.'),
});

const apiSchema = z.strictObject({
  preset: z
    .enum(presetNames)
    .nullable()
    .default(null)
    .describe(
      'Settings for a known server, below your own: whatever you set wins, key by key. See “Other servers”.',
    ),
  baseUrl: z
    .string()
    .default('https://api.openai.com/v1')
    .describe(
      'Where the Files API is: https; http on this machine or to a host in `allowHttp`. May have a path and a query. `OPENAI_BASE_URL` wins over it.',
    ),
  allowHttp: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'Hosts in your own network that may be spoken to by plain http, e.g. `litellm` in a compose network. Never a public name.',
    ),
  apiKeyFile: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('File that holds the API key and nothing else. `OPENAI_API_KEY` wins over it.'),
  headers: z
    .record(z.string(), z.union([z.string(), headerSchema]))
    .default({})
    .describe(
      'More headers for every request: the value itself, `{"file": "…"}` or `{"env": "…"}`. Never the key: see `auth`.',
    ),
  uploadFields: z
    .record(z.string(), z.string())
    .default({})
    .describe('More form fields for every upload, for gateways that want them.'),
  organization: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('Sent as `OpenAI-Organization`. `OPENAI_ORG_ID` wins over it.'),
  project: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('Sent as `OpenAI-Project`. `OPENAI_PROJECT_ID` wins over it.'),
  timeoutSeconds: seconds(0.1, oneDaySeconds)
    .default(600)
    .describe('How long a request may take before it counts as failed; large uploads get more.'),
  auth: z
    .enum(['bearer', 'api-key'])
    .default('bearer')
    .describe('How the key is sent: `Authorization: Bearer …`, or an `api-key` header as Azure wants it.'),
  listParameters: z
    .enum(['full', 'by-purpose', 'none'])
    .default('full')
    .describe(
      '`none` for servers whose list takes no parameters and has no pages; `by-purpose` for those whose list wants a purpose: the folders’ purposes are asked for one at a time, and files of others are not seen.',
    ),
  expiry: expirySchema.prefault({}),
  deletes: z
    .boolean()
    .default(true)
    .describe(
      '`false` for servers that cannot delete: removed files are `kept`, replaced ones stay and are counted.',
    ),
  pageSize: z
    .int()
    .min(1)
    .max(10_000)
    .nullable()
    .default(null)
    .describe('Files a page of a listing; null is 1,000, and fewer by itself where the server refuses that.'),
  lookSeconds: seconds(0, oneDaySeconds)
    .default(300)
    .describe(
      'How long an upload whose reply was lost is looked for in the list before it is sent anew. Must be longer than new files take to show up there.',
    ),
  trustReply: z
    .array(z.enum(['bytes', 'purpose', 'filename', 'expires_at']))
    .default(['bytes', 'purpose', 'filename', 'expires_at'])
    .describe(
      'The fields of its replies in which this server tells what it was sent. Take out what a gateway rewrites: it is not compared then, and what was sent is recorded.',
    ),
});

const limitsSchema = z.strictObject({
  uploadsPerMinute: z
    .int()
    .min(1)
    .max(1_000_000)
    .nullable()
    .default(990)
    .describe(
      'Most uploads in any 60 s, retries and restarts included. At most 999 for api.openai.com; null, for other servers only, is no limit.',
    ),
  concurrentUploads: z.int().min(1).max(256).default(8).describe('Most uploads at the same time.'),
  concurrentDeletes: z.int().min(1).max(256).default(4).describe('Most deletes at the same time.'),
  uploadBytesPerSecond: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('Bandwidth of all uploads together; null is no limit.'),
  storageBytes: z
    .int()
    .min(0)
    .nullable()
    .default(2_500_000_000_000)
    .describe('What the project may store in all; null when the server has no such limit.'),
});

const watchSchema = z.strictObject({
  mode: z
    .enum(['auto', 'native', 'polling', 'off'])
    .default('auto')
    .describe(
      '`auto` asks the system for events and polls where there are none (network file systems); `off` only rescans.',
    ),
  settleSeconds: seconds(0, 3600).default(2).describe('How long a file must rest before it is sent.'),
  rescanSeconds: seconds(0)
    .default(600)
    .describe('How often everything is looked at anew; 0 is only when events were lost.'),
  pollSeconds: seconds(0.1, 3600).default(5).describe('How often a polled folder is looked at.'),
  ignore: z
    .array(z.string())
    .default([])
    .describe(
      'More patterns to ignore, as in a .gitignore; `!pattern` takes one back, the built-in ones too.',
    ),
});

const deletesMode = z.enum(['mirror', 'keep']);

const deletesSchema = z.strictObject({
  mode: deletesMode
    .default('mirror')
    .describe(
      '`mirror` deletes remotely what is gone locally; `keep` never does, for drop folders that are emptied.',
    ),
  graceSeconds: seconds(0)
    .default(10)
    .describe('How long a file must be gone before its remote file is deleted.'),
  maxFraction: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe('More waiting deletes than this part of all entries wait for `approve`.'),
  minCount: z.int().min(0).default(10).describe('Up to this many deletes never wait for `approve`.'),
});

const requestsSchema = z.strictObject({
  endpoints: z
    .array(z.string().min(1))
    .nullable()
    .optional()
    .describe("What a line's `url` may be (default: OpenAI's eight batch endpoints); null is anything."),
  oneEndpoint: z.boolean().optional().describe('Whether all lines must have the same `url` (default: true).'),
  oneModel: z.boolean().optional().describe('Whether all lines must have the same `model` (default: true).'),
  required: z
    .array(z.enum(['method', 'url', 'model']))
    .optional()
    .describe(
      'What no line may leave out besides `custom_id` and `body` (default: all three; `model` where the endpoint demands one).',
    ),
  maxRequests: z
    .int()
    .min(1)
    .nullable()
    .optional()
    .describe('Most lines of a file (default: 50,000); null is any number.'),
  maxEmbeddingInputs: z
    .int()
    .min(1)
    .nullable()
    .optional()
    .describe('Most embedding inputs of all lines together (default: 50,000); null is any number.'),
});

const folderSchema = z.strictObject({
  purpose: z.string().min(1).optional().describe('The purpose that its files are uploaded with.'),
  expiresAfterSeconds: z
    .number()
    .min(1)
    .nullable()
    .optional()
    .describe(
      'When the API shall expire a file, after its upload (rounded to whole seconds); null leaves it to the API. Within `api.expiry`, at OpenAI from 3600 to 2592000.',
    ),
  onExpiry: z
    .enum(['forget', 'renew'])
    .optional()
    .describe(
      '`forget`: an expired file stays away until its content changes; `renew`: it is uploaded again in time.',
    ),
  renewBeforeSeconds: seconds(0, 30 * oneDaySeconds)
    .optional()
    .describe('How long before its expiry a file is renewed; never more than half of its life.'),
  check: z
    .enum(['full', 'lines', 'basic', 'off'])
    .optional()
    .describe(
      '`full` reads the content as the purpose demands it; `lines` demands a JSON object on every line, and no more; `basic` looks at size and extension; `off` leaves it to the server.',
    ),
  priority: z.int().min(-1000).max(1000).optional().describe('Folders with a higher one are uploaded first.'),
  maxBytes: z.int().min(1).optional().describe('Larger files are refused before they are sent.'),
  requests: requestsSchema
    .optional()
    .describe("What the server demands of batch lines, where it differs from OpenAI's Batch API."),
  deletes: z
    .strictObject({ mode: deletesMode.optional().describe('As `deletes.mode`, for this folder alone.') })
    .optional()
    .describe('What differs from `deletes` in this folder.'),
});

export const configSchema = z.strictObject({
  $schema: z.string().optional().describe('For editors; not read.'),
  root: z
    .string()
    .min(1)
    .default('./openai-files')
    .describe('The mirrored folder. Relative to the configuration file.'),
  stateDir: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe(
      'Where the manifest lives. null: `$STATE_DIRECTORY`, else `$XDG_STATE_HOME/files-mirror/<hash of root>`.',
    ),
  api: apiSchema.prefault({}),
  limits: limitsSchema.prefault({}),
  watch: watchSchema.prefault({}),
  deletes: deletesSchema.prefault({}),
  verifyHours: z
    .number()
    .min(0)
    .max(500)
    .default(24)
    .describe('How often manifest and remote are compared; 0 is never.'),
  folders: z
    .record(z.string(), z.union([z.literal(false), folderSchema]))
    .default({})
    .describe(
      'Merged over the six default folders, key by key; false switches one off, a new name needs a `purpose`.',
    ),
});

/** The configuration as the file says it, defaults filled in, before folders are merged and paths resolved. */
export type ConfigFile = z.infer<typeof configSchema>;
export type FolderFile = z.infer<typeof folderSchema>;
