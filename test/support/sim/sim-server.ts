import type { FileId, RemoteFile } from '../../../src/contract/types.ts';
import type { Query } from '../../../src/remote/page-asker.ts';
import type { ListPage } from '../../../src/remote/replies.ts';
import type { SimClock } from './sim-clock.ts';
import { contentOf, sha256Of } from './sim-content.ts';
import type { Project } from './sim-account.ts';
import { listedPage } from './sim-listing.ts';
import type { LifeKnobs, RewrittenField } from './sim-profile.ts';
import type { SimRandom } from './sim-random.ts';
import type { SimTrace } from './sim-trace.ts';

export interface StoredFile {
  readonly id: FileId;
  /** Position in the order of creation. */
  readonly sequence: number;
  readonly purpose: string;
  readonly filename: string;
  readonly content: Uint8Array;
  /** Not what was sent: the server lost some of it. */
  readonly damaged: boolean;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly madeBy: 'mirror' | 'foreign';
  readonly project: Project;
  readonly storedAtMs: number;
  /** From when on lists and lookups show it. */
  readonly visibleAtMs: number;
  gone: { readonly atMs: number; readonly by: 'mirror' | 'others' } | null;
}

/**
 * Times in which every request of a kind fails: wrong key, a 400 for everything (a gateway that misses a header),
 * storage full, network down, deletes refused with 429.
 */
export type ServerEpisode = 'none' | 'auth' | 'refusals' | 'quota' | 'down' | 'no-deletes';

export interface StoreRequest {
  readonly purpose: string;
  readonly filename: string;
  readonly content: Uint8Array;
  readonly expiresAfterSeconds: number | null;
  readonly damaged: boolean;
  /** Default: `home`. */
  readonly project?: Project;
}

export interface ServerTools {
  readonly clock: SimClock;
  readonly knobs: LifeKnobs;
  readonly random: SimRandom;
  readonly trace: SimTrace;
}

/** What a server that rewrites purposes makes of all of them. */
const OTHER_PURPOSE = 'general';

/** What a Files API keeps, on its own clock. Faults of single requests are the business of `SimApi`. */
export class SimServer {
  readonly #tools: ServerTools;
  readonly #files = new Map<FileId, StoredFile>();
  readonly #contradicted = new Set<string>();
  readonly #wallStartMs: number;
  #sequence = 0;
  #isCalm = false;
  #episode: ServerEpisode = 'none';
  #episodeSinceMs = 0;

  constructor(tools: ServerTools) {
    this.#tools = tools;
    this.#wallStartMs = tools.clock.wallMs() - tools.clock.monotonicMs() + tools.knobs.skewMs;
  }

  /** No more faults: every request succeeds at once and every list is up to date. */
  get isCalm(): boolean {
    return this.#isCalm;
  }

  get episode(): ServerEpisode {
    return this.#episode;
  }

  get episodeSinceMs(): number {
    return this.#episodeSinceMs;
  }

  calmDown(): void {
    this.#isCalm = true;
    this.begin('none');
  }

  begin(episode: ServerEpisode): void {
    this.#episode = episode;
    this.#episodeSinceMs = this.#tools.clock.monotonicMs();
    this.#tools.trace.add('server', 'episode', episode);
  }

  /** By the server's clock, which nobody sets. */
  wallMs(atMs = this.#tools.clock.monotonicMs()): number {
    return this.#wallStartMs + atMs;
  }

  get(id: FileId): StoredFile | null {
    return this.#files.get(id) ?? null;
  }

  /** Everything that ever was, oldest first. */
  all(): readonly StoredFile[] {
    return [...this.#files.values()];
  }

  isExpired(file: StoredFile, atMs = this.#tools.clock.monotonicMs()): boolean {
    return file.expiresAt !== null && file.expiresAt * 1000 <= this.wallMs(atMs);
  }

  isLive(file: StoredFile, atMs = this.#tools.clock.monotonicMs()): boolean {
    return (file.gone === null || file.gone.atMs > atMs) && !this.isExpired(file, atMs);
  }

  /** A content that this server will never take, and the status that says so; null: it takes it. */
  refusalOf(content: Uint8Array): 400 | 403 | null {
    if (content.length === 0) return 400;
    if (!this.#tools.knobs.serverRefuses) return null;
    const sha256 = sha256Of(content);
    return sha256.startsWith('7') ? 400 : sha256.startsWith('8') ? 403 : null;
  }

  store(request: StoreRequest, madeBy: StoredFile['madeBy'] = 'mirror', ageSeconds = 0): StoredFile {
    const { clock, knobs, random, trace } = this.#tools;
    const nowMs = clock.monotonicMs();
    const createdAt = Math.floor((this.wallMs() + knobs.createdSkewMs) / 1000) - ageSeconds;
    const asked = knobs.ignoresExpiry ? null : request.expiresAfterSeconds;
    const expires = madeBy === 'mirror' && (knobs.expiringPurposes?.includes(request.purpose) ?? true);
    const lifetime = asked ?? (expires ? knobs.serverLifetimeSeconds : null);
    const lagMs = !this.#isCalm && random.chance(0.3) ? random.int(0, knobs.listLagMs) : 0;
    this.#sequence += 1;
    const file: StoredFile = {
      id: `file-${madeBy === 'mirror' ? 'm' : 'f'}${this.#sequence.toString(36).padStart(4, '0')}`,
      sequence: this.#sequence,
      purpose: request.purpose,
      filename: request.filename,
      content: request.content,
      damaged: request.damaged,
      createdAt,
      expiresAt: lifetime === null ? null : createdAt + lifetime,
      madeBy,
      project: request.project ?? 'home',
      storedAtMs: nowMs,
      visibleAtMs: nowMs + lagMs,
      gone: null,
    };
    this.#files.set(file.id, file);
    trace.add('server', 'stored', file.id, file.purpose, file.filename, file.content.length, `lag=${lagMs}`);
    return file;
  }

  /** The answer to this file's upload was, or will be, at odds with what was sent. */
  noteContradiction(file: StoredFile): void {
    this.#contradicted.add(`${file.purpose} ${file.filename}`);
  }

  /** Whether any upload of this purpose and name was answered so. */
  hasContradicted(file: Pick<StoredFile, 'purpose' | 'filename'>): boolean {
    return this.#contradicted.has(`${file.purpose} ${file.filename}`);
  }

  /** Takes a file away. False when there is none (any more). */
  remove(id: FileId, by: 'mirror' | 'others'): boolean {
    const file = this.#files.get(id);
    if (file === undefined || !this.isLive(file)) return false;
    file.gone = { atMs: this.#tools.clock.monotonicMs(), by };
    this.#tools.trace.add('server', 'removed', id, 'by', by);
    return true;
  }

  /** What a lookup of the state of `atMs` shows; null for a file that is not there, or not yet seen. */
  find(id: FileId, atMs: number, project: Project = 'home'): RemoteFile | null {
    const file = this.#files.get(id);
    return file !== undefined && file.project === project && this.#isShown(file, atMs)
      ? this.describe(file)
      : null;
  }

  /** A file as this server describes it. */
  describe(file: StoredFile): RemoteFile {
    const { omits, rewrites } = this.#tools.knobs;
    const { id, createdAt, expiresAt, filename, purpose } = file;
    const said = { id, bytes: file.content.length, createdAt, expiresAt, filename, purpose };
    const rewritten = rewrites === null ? said : { ...said, ...rewriteOf(rewrites, said) };
    return { ...rewritten, ...Object.fromEntries(omits.map((field) => [field, null])) };
  }

  /** One page of a listing of the state of `atMs`, of at most `most` files. Throws `Fault` for what it refuses. */
  page(query: Query, most: number, atMs: number, project: Project): ListPage {
    const { listing } = this.#tools.knobs;
    const purpose = query['purpose'] ?? null;
    const shown = this.all()
      .filter((file) => file.project === project && this.#isShown(file, atMs))
      .filter((file) => purpose === null || this.#purposeOf(file) === purpose)
      .map((file) => ({ sequence: file.sequence, file: this.describe(file) }));
    const cap = Math.min(most, listing.cap ?? most);
    return listedPage(shown, query, { ...listing, cap }, (id) => this.#files.get(id)?.sequence ?? null);
  }

  /** Files of other users of the account: old ones that look like ours, young ones that do not. */
  addForeign(isOld: boolean): void {
    const { knobs, random } = this.#tools;
    const purpose = random.pick([...knobs.settings.folders.map((folder) => folder.purpose), 'batch_output']);
    const filename = isOld ? random.pick(['a.jsonl', 'b.jsonl']) : `foreign-${random.int(1, 99)}.jsonl`;
    const content = contentOf(random.int(1, 4), isOld ? 100 : random.int(5_000, 6_000));
    const ageSeconds = isOld ? random.int(4, 40) * 86_400 : 0;
    this.store(
      { purpose, filename, content, expiresAfterSeconds: null, damaged: false },
      'foreign',
      ageSeconds,
    );
  }

  #purposeOf(file: StoredFile): string {
    return this.#tools.knobs.rewrites === 'purpose' ? OTHER_PURPOSE : file.purpose;
  }

  #isShown(file: StoredFile, atMs: number): boolean {
    return file.visibleAtMs <= atMs && this.isLive(file, atMs);
  }
}

function rewriteOf(
  field: RewrittenField,
  { bytes, filename }: { readonly bytes: number; readonly filename: string },
): Partial<RemoteFile> {
  if (field === 'bytes') return { bytes: bytes + 100 };
  return field === 'purpose' ? { purpose: OTHER_PURPOSE } : { filename: `${filename}.x` };
}
