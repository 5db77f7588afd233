import type { BatchRecord, Mirrored, PathRecorded, RequestsFile } from '../../../src/contract/batch.ts';
import type { BatchDesk } from '../../../src/batches/batch-desk.ts';
import type { SimClock } from '../sim/sim-clock.ts';
import type { SimRandom } from '../sim/sim-random.ts';
import type { BatchOracle } from './batch-oracle.ts';
import type { BatchServer } from './batch-server.ts';

const HOUR_MS = 3_600_000;

interface Content {
  readonly lines: readonly number[];
  readonly model: string;
  readonly isInvalid: boolean;
}

interface Life {
  /** The program runs: else nothing is recorded. */
  readonly isAlive: () => boolean;
  readonly tell: (told: readonly PathRecorded[]) => void;
}

/** The mirror beside the desk: what it has, durably, and ids that nothing points to any more. */
export class SimMirror {
  readonly files = new Map<string, Mirrored>();
  readonly garbage = new Set<string>();
  next = 1;
  readonly #contents = new Map<string, Content>();
  /** The version that a path had with this content, however it was named since. */
  readonly #versions = new Map<string, string>();
  readonly #random: SimRandom;
  readonly #server: BatchServer;
  readonly #clock: SimClock;
  readonly #oracle: BatchOracle;
  readonly #life: Life;

  constructor(random: SimRandom, server: BatchServer, clock: SimClock, oracle: BatchOracle, life: Life) {
    this.#random = random;
    this.#server = server;
    this.#clock = clock;
    this.#oracle = oracle;
    this.#life = life;
  }

  linesOf(sha256: string): readonly number[] {
    return this.#contents.get(sha256)?.lines ?? [];
  }

  /** Of what lies at this path now. */
  versionOf(path: string): string {
    return this.#versions.get(`${path}\n${this.files.get(path)?.sha256 ?? ''}`) ?? '';
  }

  addRetry(origin: string, record: BatchRecord, generation: number, lines: readonly number[]): string {
    const model = this.#contents.get(record.sha256)?.model ?? 'm0';
    return this.#server.addInput({ version: `${origin}#${generation}`, lines, model, isInvalid: false });
  }

  read(path: string, sha256: string): RequestsFile | null {
    const content = this.#contents.get(sha256);
    if (this.files.get(path)?.sha256 !== sha256 || content === undefined) return null;
    const requests = content.lines.length;
    return { requests, endpoint: '/v1/chat/completions', model: content.model, inputTokens: requests * 100 };
  }

  #upload(path: string, sha256: string): Mirrored {
    const key = `${path}\n${sha256}`;
    const version = this.#versions.get(key) ?? `v${this.next++} of ${path}`;
    this.#versions.set(key, version);
    const content = this.#contents.get(sha256) as Content;
    const id = this.#server.addInput({ version, ...content });
    return { id, purpose: 'batch', sha256 };
  }

  /** One change of the manifest: durable first, told then; the program may die in between. */
  #record(told: readonly PathRecorded[]): void {
    if (!this.#life.isAlive()) return;
    for (const { path, after } of told) {
      if (after === null) this.files.delete(path);
      else this.files.set(path, after);
    }
    const ids = new Set([...this.files.values()].map(({ id }) => id));
    for (const { before } of told) if (before !== null && !ids.has(before.id)) this.garbage.add(before.id);
    this.#life.tell(told);
  }

  collectGarbage(desk: BatchDesk | null): void {
    for (const id of this.garbage) {
      if (desk === null || desk.userOf(id) !== null) continue;
      this.#oracle.letGo(id);
      this.#server.deletedFiles.add(id);
      this.garbage.delete(id);
    }
  }

  #newContent(): string {
    const sha256 = `sha-${this.next++}`;
    const count = this.#random.int(1, 7);
    this.#contents.set(sha256, {
      lines: Array.from({ length: count }, (_, index) => index + 1),
      model: this.#random.pick(['m0', 'm1']),
      isInvalid: this.#random.chance(0.08),
    });
    return sha256;
  }

  drop(): void {
    if (!this.#life.isAlive()) return;
    const path = `${this.#random.chance(0.9) ? 'batch' : 'quiet'}/${this.next++}.jsonl`;
    const after = this.#upload(path, this.#newContent());
    this.#record([{ path, before: null, after, why: 'uploaded' }]);
  }

  /** Something happens to a file that is there, or was. */
  stir(): void {
    const path = this.files.size === 0 ? null : this.#random.pick([...this.files.keys()]);
    const before = path === null ? null : (this.files.get(path) as Mirrored);
    if (!this.#life.isAlive() || path === null || before === null) return;
    const act = this.#random.weighted({ change: 3, renew: 3, remove: 3, rename: 3, swap: 1, flip: 2 });
    if (act === 'change')
      this.#record([{ path, before, after: this.#upload(path, this.#newContent()), why: 'replaced' }]);
    else if (act === 'renew')
      this.#record([{ path, before, after: this.#upload(path, before.sha256), why: 'uploaded' }]);
    else if (act === 'remove') this.#removeAndReturn(path, before);
    else if (act === 'rename') this.#rename(path, before);
    else if (act === 'swap') this.#swap(path, before);
    else this.#flip(path, before);
  }

  #removeAndReturn(path: string, before: Mirrored): void {
    this.#record([{ path, before, after: null, why: 'deleted' }]);
    if (!this.#random.chance(0.6)) return;
    this.#clock.schedule(this.#random.int(1_000, HOUR_MS), () => {
      if (!this.#life.isAlive() || this.files.has(path)) return;
      this.#record([{ path, before: null, after: this.#upload(path, before.sha256), why: 'uploaded' }]);
    });
  }

  #rename(from: string, file: Mirrored): void {
    const path = `batch/r${this.next++}.jsonl`;
    this.#follow(from, path, file.sha256);
    this.#record([
      { path: from, before: file, after: null, why: 'moved' },
      { path, before: null, after: file, why: 'moved' },
    ]);
  }

  #follow(from: string, to: string, sha256: string): void {
    const version = this.#versions.get(`${from}\n${sha256}`);
    this.#versions.delete(`${from}\n${sha256}`);
    if (version !== undefined) this.#versions.set(`${to}\n${sha256}`, version);
  }

  #swap(one: string, file: Mirrored): void {
    const other = this.#random.pick([...this.files.keys()]);
    const otherFile = this.files.get(other) as Mirrored;
    if (other === one) return;
    const versions = [
      this.#versions.get(`${one}\n${file.sha256}`),
      this.#versions.get(`${other}\n${otherFile.sha256}`),
    ];
    this.#versions.delete(`${one}\n${file.sha256}`);
    this.#versions.delete(`${other}\n${otherFile.sha256}`);
    this.#versions.set(`${other}\n${file.sha256}`, versions[0] ?? '');
    this.#versions.set(`${one}\n${otherFile.sha256}`, versions[1] ?? '');
    this.#record([
      { path: one, before: file, after: otherFile, why: 'moved' },
      { path: other, before: otherFile, after: file, why: 'moved' },
    ]);
  }

  /** Changed, and changed back: the old bytes were submitted before. */
  #flip(path: string, before: Mirrored): void {
    this.#record([{ path, before, after: this.#upload(path, this.#newContent()), why: 'replaced' }]);
    this.#clock.schedule(this.#random.int(1_000, HOUR_MS), () => {
      const now = this.files.get(path);
      if (!this.#life.isAlive() || now === undefined) return;
      this.#record([{ path, before: now, after: this.#upload(path, before.sha256), why: 'replaced' }]);
    });
  }
}
