/**
 * Places at which the process can be made to die: in `mortal-program.ts` with `FILES_MIRROR_FAIL_POINT=name` or
 * `name:nth` in the environment it kills itself when the place is reached the first or the nth time. The engine
 * knows nothing of it: the places lie around its ports.
 */
import type { FilesApi, Manifest } from '../../src/contract/ports.ts';

export const failPointNames = [
  /** A change is about to be made durable. */
  'commit:before',
  /** It is durable, and nobody was told yet. */
  'commit:after',
  /** The intent is durable, and nothing was sent. */
  'upload:before',
  /** A part of the body was handed over; for a small file that is all of it. */
  'upload:body',
  /** The reply was received, and nothing was recorded. */
  'upload:after',
  'delete:before',
  /** The file is gone remotely, and the garbage list still holds it. */
  'delete:after',
  /** A page of a listing was received, and nobody has looked at it. */
  'list:after',
] as const;
export type FailPointName = (typeof failPointNames)[number];

const variable = 'FILES_MIRROR_FAIL_POINT';

/** The ports that fail points lie around. */
export interface CrashableParts {
  readonly api: FilesApi;
  readonly manifest: Manifest;
}

/**
 * The parts as they are, unless the environment asks for a death. Throws when it asks for one at a place that does
 * not exist, since a crash test that never crashes would prove nothing.
 */
export function withFailPoints(
  parts: CrashableParts,
  env: Readonly<Record<string, string | undefined>>,
  die: () => never = killSelf,
): CrashableParts {
  const wanted = env[variable];
  if (wanted === undefined || wanted === '') return parts;
  const { name, nth } = parseFailPoint(wanted);
  let reached = 0;
  const failPoint = (here: FailPointName): void => {
    if (here !== name) return;
    reached += 1;
    if (reached === nth) die();
  };
  return {
    api: mortalApi(parts.api, failPoint),
    manifest: new MortalManifest(parts.manifest, failPoint),
  };
}

type FailPoint = (here: FailPointName) => void;

function parseFailPoint(text: string): { readonly name: FailPointName; readonly nth: number } {
  const name = failPointNames.find((each) => text === each || text.startsWith(`${each}:`));
  const count = name === undefined ? '' : text.slice(name.length + 1);
  if (name === undefined || !(text === name || /^[1-9]\d*$/.test(count))) {
    throw new Error(
      `${variable}: expected one of ${failPointNames.join(', ')}, and perhaps :n; got "${text}"`,
    );
  }
  return { name, nth: count === '' ? 1 : Number(count) };
}

/** As `kill -9` does it: no handler runs, nothing is flushed, no lock is released. */
function killSelf(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('this process outlived its SIGKILL');
}

function mortalApi(api: FilesApi, failPoint: FailPoint): FilesApi {
  return {
    async upload(request, signal) {
      failPoint('upload:before');
      const body = (): AsyncIterable<Uint8Array> => mortalBody(request.body(), failPoint);
      const remote = await api.upload({ ...request, body }, signal);
      failPoint('upload:after');
      return remote;
    },
    async *list(request, signal) {
      for await (const page of api.list(request, signal)) {
        failPoint('list:after');
        yield page;
      }
    },
    async delete(id, signal) {
      failPoint('delete:before');
      const result = await api.delete(id, signal);
      failPoint('delete:after');
      return result;
    },
    retrieve: (id, signal) => api.retrieve(id, signal),
    probe: (signal) => api.probe(signal),
    serverNowMs: () => api.serverNowMs(),
  };
}

async function* mortalBody(
  chunks: AsyncIterable<Uint8Array>,
  failPoint: FailPoint,
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of chunks) {
    yield chunk;
    failPoint('upload:body');
  }
}

class MortalManifest implements Manifest {
  readonly #manifest: Manifest;
  readonly #failPoint: FailPoint;

  constructor(manifest: Manifest, failPoint: FailPoint) {
    this.#manifest = manifest;
    this.#failPoint = failPoint;
  }

  get mirrorId(): string {
    return this.#manifest.mirrorId;
  }

  get files(): Manifest['files'] {
    return this.#manifest.files;
  }

  get intents(): Manifest['intents'] {
    return this.#manifest.intents;
  }

  get garbage(): Manifest['garbage'] {
    return this.#manifest.garbage;
  }

  get rejected(): Manifest['rejected'] {
    return this.#manifest.rejected;
  }

  get memory(): Manifest['memory'] {
    return this.#manifest.memory;
  }

  subscribe(told: Parameters<Manifest['subscribe']>[0]): void {
    this.#manifest.subscribe(told);
  }

  remember(memory: Manifest['memory']): Promise<void> {
    return this.#manifest.remember(memory);
  }

  async commit(change: Parameters<Manifest['commit']>[0]): Promise<void> {
    this.#failPoint('commit:before');
    await this.#manifest.commit(change);
    this.#failPoint('commit:after');
  }
}
