/**
 * An independent referee between client and server: Prism, which knows nothing but OpenAI's published
 * description of `/files` and `/batches`, passes every request on to the emulator and judges both directions. First the
 * official client lives a short life of files and of batches (which proves the emulator), then the built daemon does the
 * same (which proves both).
 *
 *   npm run build && node test/conformance/run.mjs
 *
 * The description is not part of this repository: `FILES_OPENAPI` and `BATCHES_OPENAPI` name its two parts, else they
 * are looked for beside the project. Without them the run is skipped. Exit 0: no violation, or skipped; 1: anything else.
 *
 * What this referee cannot see, found by trying:
 * - It reads form fields by the literal names in the schema, so `expires_after[seconds]` is invisible to it until
 *   the description names that field; and it silently drops fields it does not know (the emulator refuses those).
 * - It decodes bodies as UTF-8 text on the way, which damages binary contents: only text is sent through it.
 * - Downloads are described as JSON strings, which no server sends: they are left out.
 * - The description knows no replies but 200, so nothing here provokes an error on purpose.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, request as httpRequest } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import OpenAI, { toFile } from 'openai';

const PROJECT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const MAIN = join(PROJECT, 'dist/main.js');
const DESCRIPTIONS = [
  process.env.FILES_OPENAPI ?? join(PROJECT, '../shared/openai-files-openapi.yaml'),
  process.env.BATCHES_OPENAPI ?? join(PROJECT, '../shared/openai-batches-vector-stores-openapi.yaml'),
].map((path) => resolve(path));
const START_MS = 60_000;
const CONVERGE_MS = 60_000;

/** What a batch does not have (yet) is null, as the examples of the reference show it. */
const NULLS = [
  ['errors', 'object'],
  ['output_file_id', 'string'],
  ['error_file_id', 'string'],
  ...['in_progress', 'finalizing', 'completed', 'failed', 'expired', 'cancelling', 'cancelled'].map(
    (name) => [`${name}_at`, 'integer'],
  ),
];

/** Corrections to the description, each with its reason, which is printed. */
const CORRECTIONS = [
  ...NULLS.map(([name, type]) => ({
    why: `\`${name}\` of a batch may be null: the reference shows it, but the type lacks it`,
    from: `        ${name}:\n          type: ${type}\n`,
    to: `        ${name}:\n          type: [${type}, 'null']\n`,
  })),
  {
    why: 'replies may have the purpose `evals`: it may be uploaded, but the enum of replies lacks it',
    from: '          - vision\n          - user_data\n        status:',
    to: '          - vision\n          - user_data\n          - evals\n        status:',
  },
  {
    why: 'form fields are named as they are sent, since Prism does not resolve `expires_after[…]`',
    from: "        expires_after:\n          $ref: '#/components/schemas/FileExpirationAfter'\n      required:",
    to: [
      "        'expires_after[anchor]':",
      "          $ref: '#/components/schemas/FileExpirationAfter/properties/anchor'",
      "        'expires_after[seconds]':",
      "          $ref: '#/components/schemas/FileExpirationAfter/properties/seconds'",
      '      dependentRequired:',
      "        'expires_after[anchor]': ['expires_after[seconds]']",
      "        'expires_after[seconds]': ['expires_after[anchor]']",
      '      required:',
    ].join('\n'),
  },
];

const BATCH_LINE = `${JSON.stringify({
  custom_id: 'request-1',
  method: 'POST',
  url: '/v1/chat/completions',
  body: { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hello' }] },
})}\n`;
const TUNE_LINE = `${JSON.stringify({
  messages: [
    { role: 'user', content: 'Hello' },
    { role: 'assistant', content: 'Hello to you' },
  ],
})}\n`;
/** At least ten examples make a fine-tuning file. */
const TUNE_FILE = TUNE_LINE.repeat(10);

/** One file of every purpose that may be uploaded. The names have what names may have. */
const SAMPLES = [
  { purpose: 'assistants', name: 'notes "one" 🎈.txt', content: 'Notes\n' },
  { purpose: 'batch', name: 'batch.jsonl', content: BATCH_LINE },
  { purpose: 'fine-tune', name: 'tune.jsonl', content: TUNE_FILE },
  // A picture to whoever looks at its first bytes, and text on the way through Prism.
  { purpose: 'vision', name: 'picture.gif', content: 'GIF89a and nothing more' },
  { purpose: 'user_data', name: 'data.csv', content: 'a,b\n1,2\n' },
  { purpose: 'evals', name: 'evals.jsonl', content: '{"item":{"input":"1+1","ideal":"2"}}\n' },
];

class ConformanceError extends Error {}

/** Children to be ended whatever happens, latest first. */
const children = [];

function start(name, command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const log = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => log.push(line));
  }
  const running = { name, child, log };
  children.unshift(running);
  return running;
}

async function stop({ child }) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await exit;
  clearTimeout(killer);
}

/** Waits for a line of the child's output. */
async function lineOf(running, pattern) {
  const deadlineMs = performance.now() + START_MS;
  for (;;) {
    const match = running.log.map((line) => pattern.exec(line)).find((found) => found !== null);
    if (match !== undefined) return match;
    if (running.child.exitCode !== null || performance.now() > deadlineMs) {
      throw new ConformanceError(`${running.name} did not start:\n${running.log.join('\n')}`);
    }
    await sleep(50);
  }
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/** Both parts in one: the paths and the schemas of the second follow on those of the first. */
async function wholeDescription() {
  const [files, batches] = await Promise.all(DESCRIPTIONS.map((path) => readFile(path, 'utf8')));
  const part = (from, to) => batches.slice(batches.indexOf(from) + from.length, batches.indexOf(to));
  const [components, schemas] = ['components:\n', '  schemas:\n'];
  return files
    .replace(components, () => part('paths:\n', components) + components + part(components, schemas))
    .replace(schemas, () => schemas + part(schemas, '  securitySchemes:\n'));
}

async function correctedDescription(folder) {
  let text = await wholeDescription();
  for (const { why, from, to } of CORRECTIONS) {
    if (text.split(from).length !== 2) {
      throw new ConformanceError(`the description has changed; a correction finds no place: ${why}`);
    }
    text = text.replace(from, () => to);
    console.log(`description corrected: ${why}`);
  }
  const path = join(folder, 'description.yaml');
  await writeFile(path, text);
  return path;
}

/** Every remark Prism has made so far, in both directions. */
function violations(prism) {
  return prism.log.filter((line) => /Violation:|Request terminated with error/.test(line));
}

function expectNoViolation(prism, who) {
  const found = violations(prism);
  if (found.length > 0) throw new ConformanceError(`${who} broke the description:\n${found.join('\n')}`);
  console.log(`${who}: no violation`);
}

/** A referee that cannot whistle proves nothing: three requests, each wrong in one way. */
async function proveReferee(description, upstream) {
  const prism = await startPrism('referee check', description, upstream);
  const wrong = [
    { purpose: 'memes' },
    { purpose: 'batch', 'expires_after[anchor]': 'created_at', 'expires_after[seconds]': '60' },
    { purpose: 'batch', 'expires_after[seconds]': '3600' },
  ];
  for (const fields of wrong) {
    const before = violations(prism).length;
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.set(name, value);
    form.set('file', new File([BATCH_LINE], 'a.jsonl'));
    const headers = { authorization: 'Bearer sk-conformance' };
    const reply = await fetch(`${prism.url}/files`, { method: 'POST', headers, body: form });
    await reply.arrayBuffer();
    await until(`Prism to object to ${JSON.stringify(fields)}`, () => violations(prism).length > before);
    if (reply.ok) throw new ConformanceError(`the emulator accepted ${JSON.stringify(fields)}`);
  }
  await refuseBatches(prism);
  await stop(prism);
  console.log('referee: objects to what is wrong');
}

const BATCH = { endpoint: '/v1/chat/completions', completion_window: '24h' };

/** Requests for batches, each wrong in one way. */
async function refuseBatches(prism) {
  const wrong = [
    { endpoint: undefined },
    { endpoint: '/v1/nothing' },
    { completion_window: '48h' },
    { metadata: { number: 1 } },
    { output_expires_after: { anchor: 'created_at', seconds: 60 } },
  ];
  for (const fields of wrong) {
    const before = violations(prism).length;
    const headers = { authorization: 'Bearer sk-conformance', 'content-type': 'application/json' };
    const body = JSON.stringify({ input_file_id: 'file-any', ...BATCH, ...fields });
    const reply = await fetch(`${prism.url}/batches`, { method: 'POST', headers, body });
    await reply.arrayBuffer();
    await until(`Prism to object to ${JSON.stringify(fields)}`, () => violations(prism).length > before);
    if (reply.ok) throw new ConformanceError(`the emulator accepted ${JSON.stringify(fields)}`);
  }
}

async function startPrism(name, description, upstream) {
  const port = await freePort();
  const prism = start(name, join(PROJECT, 'node_modules/.bin/prism'), [
    'proxy',
    description,
    upstream,
    '--port',
    String(port),
  ]);
  await lineOf(prism, /Prism is listening/);
  return { ...prism, url: `http://127.0.0.1:${port}` };
}

async function until(what, isSo) {
  const deadlineMs = performance.now() + CONVERGE_MS;
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new ConformanceError(`waited in vain for ${what}`);
    await sleep(100);
  }
}

/** What the emulator holds, asked without the referee: `purpose/name`, sorted. */
async function remoteNames(emulatorUrl) {
  const headers = { authorization: 'Bearer sk-conformance' };
  const { data } = await (await fetch(`${emulatorUrl}/files`, { headers })).json();
  return data.map((file) => `${file.purpose}/${file.filename} ${file.bytes}`).sort();
}

async function liveAsOfficialClient(prism) {
  const client = new OpenAI({ apiKey: 'sk-conformance', baseURL: prism.url, maxRetries: 0 });
  const empty = await client.files.list();
  if (empty.data.length > 0) throw new ConformanceError('the emulator does not start empty');
  for (const { purpose, name, content } of SAMPLES) {
    const file = await toFile(Buffer.from(content), name);
    await client.files.create({ purpose, file, expires_after: { anchor: 'created_at', seconds: 3600 } });
    await client.files.create({ purpose, file });
  }
  let seen = 0;
  for await (const file of client.files.list({ limit: 5, order: 'asc' })) {
    await client.files.retrieve(file.id);
    seen += 1;
  }
  if (seen !== SAMPLES.length * 2)
    throw new ConformanceError(`listed ${seen} files of ${SAMPLES.length * 2}`);
  const left = [];
  for await (const file of client.files.list({ purpose: 'batch' })) left.push(file);
  for await (const file of client.files.list()) await client.files.delete(file.id);
  if (left.length !== 2) throw new ConformanceError(`listed ${left.length} batch files of 2`);
}

/** One batch for every way in which one may end within a day, watched all the time. */
async function liveBatchesAsOfficialClient(prism, emulatorUrl) {
  const client = new OpenAI({ apiKey: 'sk-conformance', baseURL: prism.url, maxRetries: 0 });
  const create = async (content, more = {}) => {
    const file = await toFile(Buffer.from(content), 'batch.jsonl');
    const { id } = await client.files.create({ purpose: 'batch', file });
    return client.batches.create({ input_file_id: id, ...BATCH, ...more });
  };
  const failing = BATCH_LINE.replace('request-1', 'request-2').replace(
    '"body":{',
    '"body":{"metadata":{"emulator":"error-429"},',
  );
  const completed = await create(BATCH_LINE + failing, {
    metadata: { who: 'conformance' },
    output_expires_after: { anchor: 'created_at', seconds: 3600 },
  });
  const failed = await create('no JSON\n');
  const cancelled = await create(BATCH_LINE);
  await client.batches.cancel(cancelled.id);
  const ends = { [completed.id]: 'completed', [failed.id]: 'failed', [cancelled.id]: 'cancelled' };
  for (const [id, status] of Object.entries(ends)) {
    await until(`${id} to be ${status}`, async () => (await client.batches.retrieve(id)).status === status);
  }
  const listed = [];
  for await (const { id } of client.batches.list({ limit: 2 })) listed.push(id);
  const expected = [cancelled, failed, completed].map(({ id }) => id);
  if (listed.join() !== expected.join()) throw new ConformanceError(`listed batches ${listed.join()}`);

  const { output_file_id: output, error_file_id: errors } = await client.batches.retrieve(completed.id);
  for (const id of [output, errors]) {
    await client.files.retrieve(id);
    const lines = await (await new OpenAI({ apiKey: 'k', baseURL: emulatorUrl }).files.content(id)).text();
    if (lines.split('\n').length !== 2) throw new ConformanceError(`a result has other lines:\n${lines}`);
  }
  for await (const { id } of client.files.list()) await client.files.delete(id);
}

/** The built daemon over a root of its own, which listens. */
async function startDaemon(name, url, folder, settings) {
  const root = join(folder, name, 'root');
  const config = join(folder, name, 'config.json');
  await mkdir(join(folder, name));
  const common = { watch: { settleSeconds: 0.2, rescanSeconds: 5 }, deletes: { graceSeconds: 0.2 } };
  const places = { root, stateDir: join(folder, name, 'state') };
  await writeFile(config, JSON.stringify({ ...common, ...places, ...settings }));
  const environment = { ...process.env, OPENAI_API_KEY: 'sk-conformance', OPENAI_BASE_URL: url };
  const options = { cwd: folder, env: environment };
  const daemon = start(name, process.execPath, [MAIN, 'run', '--init', '--config', config], options);
  /** Runs a verb; how it ended. */
  const run = async (verb, ...args) => {
    const running = start(verb, process.execPath, [MAIN, verb, '--config', config, ...args], options);
    if (running.child.exitCode === null) await once(running.child, 'exit');
    return { code: running.child.exitCode, log: running.log };
  };
  const end = async () => {
    await stop(daemon);
    if (daemon.child.exitCode === 0) return;
    throw new ConformanceError(`${name} ended with ${daemon.child.exitCode}:\n${daemon.log.join('\n')}`);
  };
  await until(`${name} to listen`, async () => {
    const { code } = await run('status');
    return code !== 3 || daemon.child.exitCode !== null;
  });
  return { root, daemon, run, end };
}

async function liveAsDaemon(prism, emulatorUrl, folder) {
  const settings = { folders: { assistants: { expiresAfterSeconds: 7200 } } };
  const { root, daemon, run, end } = await startDaemon('daemon', prism.url, folder, settings);
  const pathOf = ({ purpose, name }) => join(root, purpose, name);

  const rest = async (what, expected) => {
    const flush = await run('flush', '--timeout', '60');
    if (flush.code !== 0) {
      throw new ConformanceError(
        `${what}: flush ended with ${flush.code}:\n${[...flush.log, ...daemon.log].join('\n')}`,
      );
    }
    const wanted = expected.map(
      ({ purpose, name, content }) => `${purpose}/${name} ${Buffer.byteLength(content)}`,
    );
    const names = JSON.stringify(wanted.sort());
    await until(`${what}: ${names}`, async () => JSON.stringify(await remoteNames(emulatorUrl)) === names);
    console.log(`daemon: ${what}`);
  };

  for (const sample of SAMPLES) {
    await mkdir(dirname(pathOf(sample)), { recursive: true });
    await writeFile(pathOf(sample), sample.content);
  }
  await rest('uploaded one of each purpose', SAMPLES);

  const [notes, batch, ...others] = SAMPLES;
  const longer = { ...notes, content: `${notes.content}and more\n` };
  await writeFile(pathOf(longer), longer.content);
  await rest('replaced a file', [longer, batch, ...others]);

  const renamed = { ...batch, name: 'renamed.jsonl' };
  await rename(pathOf(batch), pathOf(renamed));
  await rest('renamed a file', [longer, renamed, ...others]);

  await rm(pathOf(longer));
  await rest('deleted a file', [renamed, ...others]);
  await end();
}

/** From dropped requests to answers: one line is tried again, and one batch is cancelled. */
async function liveBatchesAsDaemon(prism, emulatorUrl, folder) {
  const gateway = await startGateway(prism.url, emulatorUrl);
  const seen = prism.log.length;
  const settings = { batches: { pollSeconds: 1 }, folders: { batch: { submit: true } } };
  const { root, daemon, run, end } = await startDaemon('batch daemon', gateway.url, folder, settings);
  const lines = [1, 2, 3].map((n) => BATCH_LINE.replace('request-1', `request-${n}`));
  lines[1] = lines[1].replace('"body":{', '"body":{"metadata":{"emulator":"once-error-429"},');
  const drop = (name, content) => writeFile(join(root, 'batch', name), content);
  const outcome = async (name, wanted) => {
    await run('flush', '--timeout', '60');
    const { code, log } = await run('batch', 'wait', `batch/${name}`, '--timeout', '60');
    if (code !== wanted)
      throw new ConformanceError(
        `batch wait of ${name} ended with ${code}:\n${[...log, ...daemon.log].join('\n')}`,
      );
  };
  await run('flush', '--timeout', '60');
  await drop('requests.jsonl', lines.join(''));
  await outcome('requests.jsonl', 0);
  const output = await readFile(join(root, 'results/requests.output.jsonl'), 'utf8');
  const answered = output
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).custom_id);
  if (answered.join() !== 'request-1,request-2,request-3')
    throw new ConformanceError(`answers came for ${answered.join()}`);
  console.log('batch daemon: has its answers, one of them at the second try');

  await drop('cancelled.jsonl', BATCH_LINE);
  await until('the batch that is to be cancelled', async () => {
    const { log } = await run('batch', 'list');
    return log.some((line) => /^open .*cancelled\.jsonl/.test(line));
  });
  await run('batch', 'cancel', 'batch/cancelled.jsonl');
  await outcome('cancelled.jsonl', 1);
  console.log('batch daemon: cancelled a batch');
  await end();
  await gateway.close();
  const created = prism.log.slice(seen).filter((line) => /post \/batches\b.*Request received/.test(line));
  if (created.length !== 4)
    throw new ConformanceError(`the referee saw ${created.length} POSTs below /batches of 4`);
}

/** To the referee, but for contents, which he damages. */
async function startGateway(prismUrl, emulatorUrl) {
  const server = createHttpServer((request, reply) => {
    const path = request.url.replace(/^\/v1/, '');
    const base = path.endsWith('/content') ? emulatorUrl : prismUrl;
    const { method, headers } = request;
    const onward = httpRequest(base + path, { method, headers: { ...headers, host: new URL(base).host } });
    onward.once('response', (answer) => {
      reply.writeHead(answer.statusCode, answer.headers);
      answer.pipe(reply);
    });
    onward.once('error', () => reply.destroy());
    request.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { url: `http://127.0.0.1:${server.address().port}/v1`, close };
}

async function main() {
  const absent = DESCRIPTIONS.find((path) => !existsSync(path));
  if (absent !== undefined) {
    console.log(`skipped: no description at ${absent} (set FILES_OPENAPI and BATCHES_OPENAPI)`);
    return;
  }
  if (!existsSync(MAIN)) throw new ConformanceError('dist/main.js is not there: npm run build first');
  const folder = await mkdtemp(join(tmpdir(), 'files-conformance-'));
  try {
    const description = await correctedDescription(folder);
    const dataDir = join(folder, 'emulator');
    const emulatorPort = String(await freePort());
    const emulator = start('emulator', process.execPath, [
      MAIN,
      'emulator',
      '--port',
      emulatorPort,
      '--data-dir',
      dataDir,
    ]);
    const [emulatorUrl] = await lineOf(emulator, /http:\/\/127\.0\.0\.1:\d+\/v1/);
    await proveReferee(description, emulatorUrl);

    const prism = await startPrism('Prism', description, emulatorUrl);
    await liveAsOfficialClient(prism);
    await liveBatchesAsOfficialClient(prism, emulatorUrl);
    expectNoViolation(prism, 'official client');
    await liveAsDaemon(prism, emulatorUrl, folder);
    expectNoViolation(prism, 'daemon');
    await liveBatchesAsDaemon(prism, emulatorUrl, folder);
    expectNoViolation(prism, 'batch daemon');
  } finally {
    for (const running of children) await stop(running);
    await rm(folder, { recursive: true, force: true });
  }
}

// Interrupted, the script takes its children along.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
process.once('exit', () => {
  for (const { child } of children) child.kill('SIGKILL');
});

try {
  await main();
} catch (error) {
  if (!(error instanceof ConformanceError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
