import type { Config } from '../../config/config.ts';
import type { LoadedConfig } from '../../config/load.ts';
import { command, withCommands } from '../../contract/command.ts';
import { Fault } from '../../contract/faults.ts';
import { haltAdvice } from '../../mirror/judge/halt-advice.ts';
import { doubtLines } from '../../mirror/judge/list-doubts.ts';
import type { FilesApi, ListDoubt } from '../../contract/ports.ts';
import type { ManifestView } from '../../contract/types.ts';
import { printable, redactor } from '../../contract/shown-text.ts';
import { ownPackage } from '../../service/own-package.ts';
import { batchAccessCheck, batchSettingChecks } from '../batch/doctor.ts';
import { askedApi, emulatorAbsence, type AskedApi, goesToEmulator } from '../asked-api.ts';
import type { Context } from '../context.ts';
import {
  clockCheck,
  fail,
  haltCheck,
  limitsCheck,
  manifestCheck,
  nodeCheck,
  ok,
  rootCheck,
  stateCheck,
  warn,
  watchCheck,
  type Check,
} from '../diagnosis.ts';
import { exitCode } from '../exit-code.ts';
import { startAdvice } from '../start-advice.ts';
import { print, printJson } from '../io.ts';
import { defineVerb, jsonOption } from '../verb.ts';

/** How long the API is waited for. */
const probeTimeoutMs = 15_000;

/** Exit code: 1 if anything fails. */
export const verb = defineVerb({
  options: jsonOption,
  async run({ json }, context) {
    const checks: Check[] = [];
    const invocation = await context.invocation();
    for await (const found of examine(context)) {
      const check = {
        ...found,
        detail: withCommands(found.detail, invocation),
        next: found.next === null ? null : withCommands(found.next, invocation),
      };
      checks.push(check);
      if (!json) await print(context.io, checkLine(check));
    }
    const healthy = checks.every(({ level }) => level !== 'fail');
    if (json) await printJson(context.io, { version: 1, ok: healthy, checks });
    return healthy ? exitCode.done : exitCode.someFailed;
  },
});

function checkLine({ what, level, detail, next }: Check): string {
  return `${level.padEnd(4)}  ${what}: ${printable(detail)}${next === null ? '' : `; ${printable(next)}`}\n`;
}

/** From the ground up: what a later check stands on comes first. */
async function* examine(context: Context): AsyncIterable<Check> {
  yield nodeCheck(process.versions.node, ownPackage().engines.node);
  let loaded: LoadedConfig;
  try {
    loaded = await context.loadConfig();
  } catch (error) {
    for (const line of faultOf(error).message.split('\n')) yield fail('configuration', line, null);
    return;
  }
  const { config, file } = loaded;
  yield ok('configuration', file ?? 'no file, all defaults');
  const { lookAtPlaces, readState } = await context.compose();
  let manifest: ManifestView | null = null;
  let unreadable: Fault | null = null;
  try {
    const view = await readState(config.stateDir);
    manifest = view.mirrorId === '' ? null : view;
  } catch (error) {
    unreadable = faultOf(error);
  }
  const places = await lookAtPlaces(config, manifest?.mirrorId ?? null);
  if (unreadable === null || places.root.look.kind === 'bad') yield rootCheck(config, places, manifest);
  yield watchCheck(config, places);
  yield stateCheck(config, places);
  yield unreadable === null
    ? manifestCheck(manifest, places, Date.now())
    : fail('manifest', unreadable.message, null);
  yield* daemonChecks(config, context);
  yield* apiChecks(loaded, manifest, context);
  yield* batchSettingChecks(loaded, context);
  yield limitsCheck(config);
}

async function* daemonChecks(config: Config, context: Context): AsyncIterable<Check> {
  try {
    const daemon = await context.findDaemon(config);
    if (daemon === null) {
      yield warn('daemon', 'does not run', await startAdvice(context, 'start it with'));
      return;
    }
    const { halts } = await daemon.status();
    yield ok('daemon', `runs, pid ${daemon.pid}`);
    for (const halt of halts) yield haltCheck(halt);
  } catch (error) {
    yield fail('daemon', faultOf(error).message, null);
  }
}

/** `manifest`: null when there is none, or when it cannot be read. */
async function* apiChecks(
  loaded: LoadedConfig,
  manifest: ManifestView | null,
  context: Context,
): AsyncIterable<Check> {
  const { config } = loaded;
  let apiKey: string | null;
  try {
    if (await goesToEmulator(loaded, context)) {
      yield* emulatorChecks(manifest, context);
      return;
    }
    apiKey = await context.readApiKey(config);
  } catch (error) {
    yield fail('api', faultOf(error).message, null);
    return;
  }
  const redact = redactor([apiKey]);
  for await (const check of apiAnswers({ config, apiKey, isEmulator: false }, manifest, context)) {
    yield { ...check, detail: redact(check.detail) };
  }
}

/** Without a key, and mirrored to the emulator so far: does it run? */
async function* emulatorChecks(manifest: ManifestView | null, context: Context): AsyncIterable<Check> {
  let asked: AskedApi;
  try {
    asked = await askedApi(context);
  } catch (error) {
    const fault = faultOf(error);
    const { detail, next } = emulatorAbsence;
    yield fault.rule === 'emulator' ? warn('api', detail, next) : fail('api', fault.message, null);
    return;
  }
  yield* remoteAnswers(asked, manifest, context);
}

async function* apiAnswers(
  asked: AskedApi,
  manifest: ManifestView | null,
  context: Context,
): AsyncIterable<Check> {
  let ids: ManifestView | null = null;
  try {
    const { admitConfiguredApi } = await context.compose();
    const verdict = await admitConfiguredApi(asked.config);
    if (verdict !== 'start-over') ids = manifest;
    else {
      const next = 'the next start uploads everything there; nothing is deleted';
      yield warn('api', 'what was mirrored so far went to the emulator on this machine', next);
    }
  } catch (error) {
    yield fail('api', faultOf(error).message, null);
  }
  yield* remoteAnswers(asked, ids, context);
}

/** `ids`: those that are to be known there; null: none. */
async function* remoteAnswers(
  asked: AskedApi,
  ids: ManifestView | null,
  context: Context,
): AsyncIterable<Check> {
  const { config, apiKey } = asked;
  const { origin } = new URL(config.api.baseUrl);
  const { checkScope, openRemote } = await context.compose();
  const opened = await openRemote(config, apiKey).catch(faultOf);
  if (opened instanceof Fault) {
    // The value of a header that cannot be had.
    yield fail('api', opened.message, null);
    return;
  }
  await using remote = opened;
  try {
    const signal = AbortSignal.timeout(probeTimeoutMs);
    await remote.probe(signal);
    yield ok('api', `${origin} answers${apiKey === null ? '' : ' and accepts the key'}`);
    yield await listingCheck(remote, signal);
    yield clockCheck(remote.serverNowMs(), Date.now());
    if (config.folders.some(({ purpose }) => purpose === 'batch'))
      yield await batchAccessCheck(remote, config, signal);
    if (ids === null) return;
    const changes = await checkScope(asked, { api: remote, view: ids }, signal);
    if (changes.length > 0) yield ok('ids', 'the recorded ids are known there');
  } catch (error) {
    if (error instanceof Fault && error.halt === 'scope') {
      yield fail('ids', error.message, haltAdvice('scope', null, 'pass'));
      return;
    }
    yield fail('api', `${origin}: ${whyNoAnswer(error)}`, nextFor(error));
  }
}

/** Asks what the mirror asks: the first page of a listing, as large as it would be. */
async function listingCheck(remote: FilesApi, signal: AbortSignal): Promise<Check> {
  const doubts: ListDoubt[] = [];
  try {
    const list = { purpose: null, order: 'desc', onDoubt: (doubt: ListDoubt) => doubts.push(doubt) } as const;
    for await (const _page of remote.list(list, signal)) break;
    const [line] = doubtLines(doubts);
    return line === undefined
      ? ok('listing', 'is readable')
      : warn('listing', line, `look at it with: ${command('list', '--remote')}`);
  } catch (error) {
    return fail('listing', whyNoAnswer(error), nextFor(error));
  }
}

function whyNoAnswer(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError')
    return `no answer within ${probeTimeoutMs / 1000} s`;
  return faultOf(error).message;
}

function nextFor(error: unknown): string {
  return error instanceof Fault && error.halt === 'auth'
    ? 'check OPENAI_API_KEY (or api.apiKeyFile), and the rights of the key'
    : 'check api.baseUrl, the network, and a proxy if there is one';
}

/** Throws what is a defect of ours. */
function faultOf(error: unknown): Fault {
  if (error instanceof Fault) return error;
  throw error;
}
