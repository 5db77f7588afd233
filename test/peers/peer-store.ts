/** What a server holds, seen and changed behind the mirror's back, without any code of `src/remote`. */
import type { Emulator } from '../support/faulty-emulator.ts';
import { sha256Of } from '../crash/oracle.ts';

/** The key that all use, the mirror and whoever looks at what it did. */
export const peerKey = 'sk-peers';

export interface PeerFile {
  readonly id: string;
  readonly purpose: string;
  readonly filename: string;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string | null;
}

export interface PeerStore {
  files(): Promise<readonly PeerFile[]>;
  /** Puts in a file of somebody else, and returns its id. */
  add(purpose: string, filename: string, content: string): Promise<string>;
  remove(id: string): Promise<void>;
}

export function storeOf(emulator: Emulator): PeerStore {
  return {
    files: async () => emulator.files(),
    add: async (purpose, filename, content) => (await emulator.store.add({ purpose, filename, content })).id,
    remove: async (id) => void emulator.store.remove(id),
  };
}

const pageLimit = 100;
const mostPages = 100;

/** Over HTTP, as the published description has it; contents are read to tell versions apart. */
export class HttpStore implements PeerStore {
  readonly #baseUrl: URL;
  /** Contents do not change under an id. */
  readonly #digests = new Map<string, string>();

  constructor(baseUrl: URL) {
    this.#baseUrl = baseUrl;
  }

  async files(): Promise<readonly PeerFile[]> {
    const files = new Map<string, PeerFile>();
    let after = '';
    for (let page = 0; page < mostPages; page += 1) {
      const reply = await this.#ask('GET', `/files?limit=${pageLimit}${after}`);
      const { data } = (await reply.json()) as { data: readonly PeerFile[] };
      const fresh = data.filter(({ id }) => !files.has(id));
      if (fresh.length === 0) break;
      for (const file of fresh) {
        // As a form writes a quotation mark, which not every server takes back.
        const filename = file.filename.replaceAll('%22', '"');
        files.set(file.id, { ...file, filename, sha256: await this.#digestOf(file.id) });
        after = `&after=${encodeURIComponent(file.id)}`;
      }
    }
    return [...files.values()];
  }

  async add(purpose: string, filename: string, content: string): Promise<string> {
    const form = new FormData();
    form.set('purpose', purpose);
    form.set('file', new Blob([content]), filename);
    const reply = await this.#ask('POST', '/files', form);
    return ((await reply.json()) as PeerFile).id;
  }

  async remove(id: string): Promise<void> {
    const reply = await this.#ask('DELETE', `/files/${encodeURIComponent(id)}`);
    await reply.body?.cancel();
  }

  async #digestOf(id: string): Promise<string> {
    let digest = this.#digests.get(id);
    if (digest === undefined) {
      const reply = await this.#ask('GET', `/files/${encodeURIComponent(id)}/content`);
      digest = sha256Of(new Uint8Array(await reply.arrayBuffer()));
      this.#digests.set(id, digest);
    }
    return digest;
  }

  async #ask(method: string, path: string, body?: FormData): Promise<Response> {
    const init = { method, headers: { authorization: `Bearer ${peerKey}` } };
    const reply = await fetch(`${this.#baseUrl.href}${path}`, body === undefined ? init : { ...init, body });
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`);
    return reply;
  }
}
