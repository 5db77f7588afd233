/**
 * An independent referee between client and server: Prism, which knows nothing but OpenAI's published
 * description of `/files`, passes every request on to the emulator and judges both directions. First the official
 * client lives a short life of files (which proves the emulator), then the built daemon does (which proves both).
 *
 *   npm run build && node test/conformance/run.mjs
 *
 * The description is not part of this repository: `FILES_OPENAPI` names it, else it is looked for beside the
 * project. Without it the run is skipped. Exit 0: no violation, or skipped; 1: anything else.
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
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import OpenAI, { toFile } from 'openai';

const PROJECT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const MAIN = join(PROJECT, 'dist/main.js');
const DESCRIPTION = resolve(
  process.env.FILES_OPENAPI ?? join(PROJECT, '../shared/openai-files-openapi.yaml'),
);
const START_MS = 60_000;
const CONVERGE_MS = 60_000;

/** Corrections to the description, each with its reason, which is printed. */
const CORRECTIONS = [
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

async function correctedDescription(folder) {
  let text = await readFile(DESCRIPTION, 'utf8');
  for (const { why, from, to } of CORRECTIONS) {
    if (text.split(from).length !== 2) {
      throw new ConformanceError(`the description has changed; a correction finds no place: ${why}`);
    }
    text = text.replace(from, to);
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
  await stop(prism);
  console.log('referee: objects to what is wrong');
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

async function liveAsDaemon(prism, emulatorUrl, folder) {
  const root = join(folder, 'root');
  const config = join(folder, 'config.json');
  await writeFile(
    config,
    JSON.stringify({
      root,
      stateDir: join(folder, 'state'),
      watch: { settleSeconds: 0.2, rescanSeconds: 5 },
      deletes: { graceSeconds: 0.2 },
      folders: { assistants: { expiresAfterSeconds: 7200 } },
    }),
  );
  const environment = { ...process.env, OPENAI_API_KEY: 'sk-conformance', OPENAI_BASE_URL: prism.url };
  const options = { cwd: folder, env: environment };
  const daemon = start('daemon', process.execPath, [MAIN, 'run', '--init', '--config', config], options);
  const pathOf = ({ purpose, name }) => join(root, purpose, name);

  const rest = async (what, expected) => {
    const flush = start(
      'flush',
      process.execPath,
      [MAIN, 'flush', '--config', config, '--timeout', '60'],
      options,
    );
    if (flush.child.exitCode === null) await once(flush.child, 'exit');
    if (flush.child.exitCode !== 0) {
      throw new ConformanceError(
        `${what}: flush ended with ${flush.child.exitCode}:\n${[...flush.log, ...daemon.log].join('\n')}`,
      );
    }
    const wanted = expected.map(
      ({ purpose, name, content }) => `${purpose}/${name} ${Buffer.byteLength(content)}`,
    );
    const names = JSON.stringify(wanted.sort());
    await until(`${what}: ${names}`, async () => JSON.stringify(await remoteNames(emulatorUrl)) === names);
    console.log(`daemon: ${what}`);
  };

  await until('the daemon to listen', async () => {
    const status = start('status', process.execPath, [MAIN, 'status', '--config', config], options);
    const [code] = await once(status.child, 'exit');
    return code !== 3 || daemon.child.exitCode !== null;
  });
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
  await stop(daemon);
  if (daemon.child.exitCode !== 0) {
    throw new ConformanceError(`the daemon ended with ${daemon.child.exitCode}:\n${daemon.log.join('\n')}`);
  }
}

async function main() {
  if (!existsSync(DESCRIPTION)) {
    console.log(`skipped: no description at ${DESCRIPTION} (set FILES_OPENAPI)`);
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
    expectNoViolation(prism, 'official client');
    await liveAsDaemon(prism, emulatorUrl, folder);
    expectNoViolation(prism, 'daemon');
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
