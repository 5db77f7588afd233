import { Settler } from '../../../src/local/settle.ts';
import { folderOf } from '../../../src/contract/mirror-path.ts';
import type { Inspection, LocalTree, OpenVersion } from '../../../src/contract/ports.ts';
import type {
  FolderLook,
  FolderRules,
  LocalLook,
  MirrorPath,
  RootLook,
  ScanItem,
  StatToken,
} from '../../../src/contract/types.ts';
import { joined } from './sim-content.ts';
import type { FileNode, Volume } from './disk-nodes.ts';
import type { SimDisk } from './sim-disk.ts';
import type { Incarnation } from './sim-process.ts';
import type { LifeKnobs } from './sim-profile.ts';
import type { SimRandom } from './sim-random.ts';
import { ignoreRuleOf, precheckOf, problemOf } from './sim-rules.ts';
import { findTop, findUnder, listDirectory, unlistable } from './sim-scan.ts';
import { folderFault, movedFault, readFault, rootFault, SimVersion } from './sim-version.ts';

export interface LocalTools {
  readonly disk: SimDisk;
  readonly incarnation: Incarnation;
  readonly knobs: LifeKnobs;
  readonly random: SimRandom;
  /** The local disk fails no more. */
  readonly isCalm: () => boolean;
  /** The mirror created something in a root: for the guards' oracle. */
  readonly onCreate: (what: string) => void;
}

/** `LocalTree` over the simulated disk, for one incarnation. Looks take time, and the disk moves meanwhile. */
export class SimLocal implements LocalTree {
  readonly #tools: LocalTools;
  /** The real one: what is simulated is the disk. */
  readonly #settler: Settler;
  #mirrorId: string | null = null;
  /** Where the root last was right. */
  #device: string | null = null;
  #openVersions = 0;

  constructor(tools: LocalTools) {
    this.#tools = tools;
    this.#settler = new Settler(tools.knobs.settleMs, tools.incarnation.clock);
  }

  /** Versions opened and not closed again. */
  get openVersions(): number {
    return this.#openVersions;
  }

  lookRoot(mirrorId: string): Promise<RootLook> {
    return this.#call('lookRoot', () => {
      this.#mirrorId = mirrorId;
      return this.#rootNow();
    });
  }

  markRoot(mirrorId: string): Promise<void> {
    return this.#call('markRoot', () => {
      const volume = this.#tools.disk.visible();
      this.#mirrorId = mirrorId;
      if (volume?.marker === mirrorId) return;
      if (volume === null || volume.marker !== null) throw rootFault();
      volume.marker = mirrorId;
      this.#tools.onCreate('the marker');
    });
  }

  lookFolder(folder: string): Promise<FolderLook> {
    return this.#call('lookFolder', () => {
      const volume = this.#tools.disk.visible();
      if (volume === null) return { kind: 'unknown', reason: 'there is no root' };
      const found = this.#tools.disk.resolve(volume, folder);
      if (found.kind === 'blocked') return { kind: 'unknown', reason: 'EACCES' };
      if (found.kind === 'absent') {
        const isWrong = this.#rootNow().kind === 'bad';
        return isWrong ? { kind: 'unknown', reason: 'the root is not right' } : { kind: 'gone' };
      }
      if (found.node.kind !== 'dir') return { kind: 'unknown', reason: 'no directory' };
      if (!found.node.listable) return { kind: 'unknown', reason: 'EACCES' };
      return { kind: 'ok', device: volume.device };
    });
  }

  createFolder(folder: string): Promise<void> {
    return this.#call('createFolder', () => {
      const volume = this.#tools.disk.visible();
      if (volume === null) throw folderFault(folder);
      this.#tools.disk.makeFolder(volume, folder);
      this.#tools.onCreate(`the folder ${folder}`);
    });
  }

  look(path: MirrorPath): Promise<LocalLook> {
    return this.#call('look', () => this.#lookNow(path));
  }

  statOf(path: MirrorPath): Promise<StatToken | null> {
    return this.#call('statOf', () => this.#current(path)?.stat ?? null);
  }

  precheck(_path: MirrorPath, sizeBytes: number, rules: FolderRules): Inspection['problem'] {
    return precheckOf(sizeBytes, rules);
  }

  needsFullRead(rules: FolderRules): boolean {
    return this.#tools.knobs.contentRule && rules.check === 'full';
  }

  async *scan(under: MirrorPath | null, signal: AbortSignal): AsyncGenerator<readonly ScanItem[]> {
    signal.throwIfAborted();
    const { disk, knobs, random } = this.#tools;
    const folders = knobs.settings.folders.map(({ folder }) => folder);
    const first = await this.#call('scan.top', () =>
      under === null ? findTop(disk, folders) : findUnder(disk, folders, under),
    );
    if (first.items.length > 0) yield first.items;
    const waiting = [...first.directories];
    while (waiting.length > 0) {
      signal.throwIfAborted();
      // Any order: what a scan has passed may change behind it, and what moves into its back is not seen.
      const [path] = waiting.splice(random.int(0, waiting.length - 1), 1);
      if (path === undefined) break;
      const { items, directories } = await this.#call('scan', () =>
        this.#fails()
          ? { items: [unlistable(path, 'EIO')], directories: [] }
          : listDirectory(disk, folders, path),
      );
      waiting.push(...directories);
      if (items.length > 0) yield items;
    }
    signal.throwIfAborted();
  }

  inspect(path: MirrorPath, stat: StatToken, rules: FolderRules, signal: AbortSignal): Promise<Inspection> {
    return this.#tools.incarnation.call('inspect', async () => {
      signal.throwIfAborted();
      const version = this.#openNow(path, stat);
      const content = await this.#readAll(version, signal);
      return {
        sha256: version.sha256(),
        sizeBytes: version.sizeBytes,
        problem: problemOf(content, rules, this.#tools.knobs.contentRule),
        warnings: [],
      };
    });
  }

  open(path: MirrorPath, stat: StatToken): Promise<OpenVersion> {
    return this.#call('open', () => this.#openNow(path, stat));
  }

  async #readAll(version: OpenVersion, signal: AbortSignal): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    try {
      for await (const chunk of version.chunks()) {
        signal.throwIfAborted();
        parts.push(chunk.slice());
      }
    } finally {
      await version.close();
    }
    return joined(...parts);
  }

  #openNow(path: MirrorPath, stat: StatToken): OpenVersion {
    const current = this.#current(path);
    if (current === null || current.stat !== stat) throw movedFault(path);
    if (!current.node.readable) throw readFault(path, 'EACCES');
    this.#openVersions += 1;
    return new SimVersion({
      path,
      node: current.node,
      stat,
      isCurrent: () => {
        const now = this.#current(path);
        return now !== null && now.node === current.node && now.stat === stat;
      },
      pause: (point) => this.#call(point, () => {}),
      onClose: () => {
        this.#openVersions -= 1;
      },
      random: this.#tools.random,
      broken: this.#fails(),
    });
  }

  #current(path: MirrorPath): { readonly node: FileNode; readonly stat: StatToken } | null {
    const volume = this.#tools.disk.visible();
    if (volume === null) return null;
    const found = this.#tools.disk.resolve(volume, path);
    if (found.kind !== 'found' || found.node.kind !== 'file') return null;
    return { node: found.node, stat: this.#tools.disk.tokenOf(found.node, volume.device) };
  }

  #rootNow(): RootLook {
    const volume = this.#tools.disk.visible();
    if (volume === null) return { kind: 'bad', reason: `the root is ${this.#tools.disk.root}` };
    if (this.#mirrorId === null) return { kind: 'bad', reason: 'the root was not looked at yet' };
    const { device, marker } = volume;
    if (marker === null) return { kind: 'unmarked', device };
    if (marker !== this.#mirrorId) return { kind: 'bad', reason: 'the marker is of another mirror' };
    const before = this.#device;
    this.#device = device;
    if (before !== null && before !== device) return { kind: 'bad', reason: `moved to device ${device}` };
    return { kind: 'ok', device };
  }

  #lookNow(path: MirrorPath): LocalLook {
    const { disk, knobs } = this.#tools;
    const volume = disk.visible();
    if (volume === null) return { kind: 'unknown', reason: 'there is no root' };
    if (this.#fails()) return { kind: 'unknown', reason: 'EIO' };
    const found = disk.resolve(volume, path);
    if (found.kind === 'blocked') return { kind: 'unknown', reason: `EACCES ${found.at}` };
    if (found.kind === 'found' && found.node.kind === 'file') {
      const rule = ignoreRuleOf(path);
      if (rule !== null) return { kind: 'ignored', rule };
      if (knobs.settings.folders.every(({ folder }) => folder !== folderOf(path) || folder === path))
        return { kind: 'ignored', rule: 'no folder of the configuration' };
      if (!found.node.readable) return { kind: 'skipped', reason: 'unreadable', detail: 'EACCES' };
      return this.#settled(path, found.node, disk.tokenOf(found.node, volume.device));
    }
    this.#settler.forget(path);
    if (this.#isLinked(volume, path))
      return { kind: 'skipped', reason: 'symlink', detail: 'a symbolic link' };
    const root = this.#rootNow();
    if (root.kind !== 'ok') return { kind: 'unknown', reason: 'the root is not right' };
    return { kind: 'absent', onDevice: found.device };
  }

  /** The path is a link, or leads through one. */
  #isLinked(volume: Volume, path: MirrorPath): boolean {
    const parts = path.split('/');
    return parts.some((_, index) => {
      const found = this.#tools.disk.resolve(volume, parts.slice(0, index + 1).join('/'));
      return found.kind === 'found' && found.node.kind === 'symlink';
    });
  }

  #settled(path: MirrorPath, node: FileNode, stat: StatToken): LocalLook {
    const { seesWriters, settleMs } = this.#tools.knobs;
    const unsettled = this.#settler.judge(path, stat);
    if (unsettled !== null) return { kind: 'changing', ...unsettled, stat };
    if (node.writers > 0 && seesWriters) {
      return { kind: 'changing', waitMs: Math.max(settleMs, 1_000), why: 'open for writing', stat };
    }
    return { kind: 'file', stat, sizeBytes: node.content.length };
  }

  #fails(): boolean {
    return !this.#tools.isCalm() && this.#tools.random.chance(this.#tools.knobs.localFaults);
  }

  /** One port call: the fact is taken before or after the time that the call takes. */
  #call<T>(point: string, now: () => T): Promise<T> {
    const { incarnation, random } = this.#tools;
    return incarnation.call(`local.${point}`, async () => {
      if (random.chance(0.6)) return now();
      const ms = random.chance(0.03) ? random.int(50, 400) : random.int(1, 5);
      if (random.chance(0.5)) {
        await incarnation.sleep(ms);
        return now();
      }
      const fact = now();
      await incarnation.sleep(ms);
      return fact;
    });
  }
}
