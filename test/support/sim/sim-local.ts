import { folderOf } from '../../../src/mirror/mirror-path.ts';
import type { Inspection, LocalTree, OpenVersion } from '../../../src/mirror/ports.ts';
import type {
  FolderLook,
  FolderRules,
  LocalLook,
  MirrorPath,
  RootLook,
  ScanItem,
  StatToken,
} from '../../../src/mirror/types.ts';
import { joined } from './sim-content.ts';
import type { DiskNode, DirNode, FileNode } from './disk-nodes.ts';
import type { SimDisk } from './sim-disk.ts';
import type { Incarnation } from './sim-process.ts';
import type { LifeKnobs } from './sim-profile.ts';
import type { SimRandom } from './sim-random.ts';
import { ignoreRuleOf, precheckOf, problemOf } from './sim-rules.ts';
import { movedFault, readFault, rootFault, SimVersion } from './sim-version.ts';

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
  readonly #seen = new Map<MirrorPath, { readonly stat: StatToken; readonly sinceMs: number }>();
  #mirrorId: string | null = null;
  #openVersions = 0;

  constructor(tools: LocalTools) {
    this.#tools = tools;
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
      if (volume === null) throw rootFault();
      volume.marker = mirrorId;
      this.#mirrorId = mirrorId;
      this.#tools.onCreate('the marker');
    });
  }

  lookFolder(folder: string): Promise<FolderLook> {
    return this.#call('lookFolder', () => {
      const root = this.#rootNow();
      const volume = this.#tools.disk.visible();
      if (root.kind === 'bad' || volume === null) return { kind: 'unknown', reason: 'the root is not right' };
      const found = this.#tools.disk.resolve(volume, folder);
      if (found.kind !== 'found' || found.node.kind !== 'dir') return { kind: 'gone' };
      if (!found.node.listable) return { kind: 'unknown', reason: 'EACCES' };
      return { kind: 'ok', device: volume.device };
    });
  }

  createFolder(folder: string): Promise<void> {
    return this.#call('createFolder', () => {
      const volume = this.#tools.disk.visible();
      if (volume === null) throw rootFault();
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
    const folders = this.#tools.knobs.settings.folders.map(({ folder }) => folder);
    const waiting = under === null ? [...folders] : [under];
    if (under === null) yield await this.#call('scan.top', () => this.#outside(folders));
    while (waiting.length > 0) {
      signal.throwIfAborted();
      // Any order: what a scan has passed may change behind it, and what moves into its back is not seen.
      const [path] = waiting.splice(this.#tools.random.int(0, waiting.length - 1), 1);
      if (path === undefined) break;
      const { items, directories } = await this.#call('scan', () => this.#list(path));
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
    if (volume.marker === null) {
      return { kind: 'unmarked', device: volume.device };
    }
    if (volume.marker !== this.#mirrorId) return { kind: 'bad', reason: 'the marker is of another mirror' };
    return { kind: 'ok', device: volume.device };
  }

  #lookNow(path: MirrorPath): LocalLook {
    const { disk, knobs } = this.#tools;
    const volume = disk.visible();
    if (volume === null || this.#rootNow().kind !== 'ok') {
      return { kind: 'unknown', reason: 'the root is not right' };
    }
    if (this.#fails()) return { kind: 'unknown', reason: 'EIO' };
    const found = disk.resolve(volume, path);
    if (found.kind === 'blocked') return { kind: 'unknown', reason: `EACCES ${found.at}` };
    if (found.kind === 'absent') {
      this.#seen.delete(path);
      return { kind: 'absent', onDevice: found.device };
    }
    const rule = ignoreRuleOf(path);
    if (rule !== null) return { kind: 'ignored', rule };
    if (knobs.settings.folders.every(({ folder }) => folder !== folderOf(path))) {
      return { kind: 'ignored', rule: 'no folder of the configuration' };
    }
    if (found.node.kind === 'dir') return { kind: 'skipped', reason: 'special', detail: 'a directory' };
    if (found.node.kind === 'symlink')
      return { kind: 'skipped', reason: 'symlink', detail: 'a symbolic link' };
    if (!found.node.readable) return { kind: 'skipped', reason: 'unreadable', detail: 'EACCES' };
    return this.#settled(path, found.node, disk.tokenOf(found.node, volume.device));
  }

  /** Settled: the mtime is old enough and two looks saw the same; or, with an mtime in the future, nothing moved for as long. */
  #settled(path: MirrorPath, node: FileNode, stat: StatToken): LocalLook {
    const { incarnation, knobs } = this.#tools;
    const nowMs = incarnation.clock.monotonicMs();
    const before = this.#seen.get(path);
    const sinceMs = before?.stat === stat ? before.sinceMs : nowMs;
    this.#seen.set(path, { stat, sinceMs });
    const ageMs = incarnation.clock.wallMs() - Number(node.mtimeNs / 1_000_000n);
    const stableMs = nowMs - sinceMs;
    const waitMs = ageMs < 0 ? knobs.settleMs - stableMs : Math.max(knobs.settleMs - ageMs, 100 - stableMs);
    if (node.writers > 0 && knobs.seesWriters) {
      return { kind: 'changing', waitMs: Math.max(waitMs, 500), why: 'open for writing', stat };
    }
    if (waitMs > 0) return { kind: 'changing', waitMs, why: 'changed just now', stat };
    return { kind: 'file', stat, sizeBytes: node.content.length };
  }

  #outside(folders: readonly string[]): ScanItem[] {
    const names = [...(this.#tools.disk.visible()?.top.children.keys() ?? [])];
    return names
      .filter((name) => !folders.includes(name))
      .map((path) => ({ kind: 'outside', path, hint: 'no folder of the configuration' }));
  }

  #list(path: MirrorPath): { readonly items: ScanItem[]; readonly directories: MirrorPath[] } {
    const volume = this.#tools.disk.visible();
    const unlistable = (reason: string): { items: ScanItem[]; directories: MirrorPath[] } => ({
      items: [{ kind: 'unlistable', path, reason }],
      directories: [],
    });
    if (volume === null) return unlistable('ENOENT: no root');
    if (this.#fails()) return unlistable('EIO');
    const found = this.#tools.disk.resolve(volume, path);
    if (found.kind === 'blocked') return unlistable('EACCES');
    if (found.kind === 'absent') return { items: [], directories: [] };
    if (found.node.kind !== 'dir')
      return { items: [this.#item(path, found.node, volume.device)], directories: [] };
    if (!found.node.listable) return unlistable('EACCES');
    return this.#children(path, found.node, volume.device);
  }

  #children(
    path: MirrorPath,
    directory: DirNode,
    device: string,
  ): { items: ScanItem[]; directories: MirrorPath[] } {
    const items: ScanItem[] = [];
    const directories: MirrorPath[] = [];
    for (const [name, { node }] of directory.children) {
      const below = `${path}/${name}`;
      if (node.kind === 'dir' && ignoreRuleOf(below) === null) directories.push(below);
      else items.push(this.#item(below, node, device));
    }
    return { items, directories };
  }

  #item(path: MirrorPath, node: DiskNode, device: string): ScanItem {
    const rule = ignoreRuleOf(path);
    if (rule !== null) return { kind: 'ignored', path, rule };
    if (node.kind !== 'file') return { kind: 'skipped', path, reason: 'symlink', detail: 'a symbolic link' };
    if (!node.readable) return { kind: 'skipped', path, reason: 'unreadable', detail: 'EACCES' };
    return { kind: 'file', path, stat: this.#tools.disk.tokenOf(node, device) };
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
