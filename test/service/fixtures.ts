import { NO_BATCH_TOTALS, type BatchControl } from '../../src/contract/batch-report.ts';
import type { Answering } from '../../src/service/control-routes.ts';
import { needOf } from '../../src/contract/attention.ts';
import type {
  FlushResult,
  MirrorControl,
  AppStatus,
  PathReport,
  VerifyReport,
} from '../../src/contract/report.ts';
import type { Halt } from '../../src/contract/types.ts';

export function status(change: Partial<AppStatus> = {}): AppStatus {
  return {
    batches: NO_BATCH_TOTALS,
    version: 1,
    mirrorId: 'mirror-1',
    root: '/srv/files',
    api: 'https://api.openai.com',
    phase: 'idle',
    paused: false,
    halts: [],
    counts: {
      synced: 3,
      pending: 0,
      settling: 0,
      uploading: 0,
      deleting: 0,
      held: 0,
      rejected: 0,
      failed: 0,
      skipped: 0,
      ignored: 0,
      expired: 0,
      kept: 0,
    },
    waitingDeletes: 0,
    garbage: 0,
    undeletable: 0,
    heldGarbage: 0,
    openIntents: 0,
    unsureUploads: 0,
    uploads: { inWindow: 0, limit: 990, waiting: 0, running: 0, pause: null },
    nextExpiry: null,
    lastScanAt: 900,
    lastVerifyAt: null,
    watching: 'native',
    problems: [],
    problemsTotal: 0,
    problemGroups: [],
    ...change,
  };
}

export function report(change: Partial<PathReport> = {}): PathReport {
  return {
    path: 'batch/a.jsonl',
    purpose: 'batch',
    id: 'file-1',
    bytes: 175,
    sha256: 'ab',
    createdAt: 100,
    expiresAt: null,
    state: 'synced',
    reason: null,
    needs: needOf(change.state ?? 'synced'),
    ...change,
  };
}

export function halt(change: Partial<Halt> = {}): Halt {
  return {
    name: 'mass-delete',
    since: 993,
    cause: '600 of 1000 files are gone',
    held: 'their remote files stay',
    next: 'files-mirror approve batch',
    folder: 'batch',
    ...change,
  };
}

/** A mirror that answers from memory and notes what it was told. */
/** A daemon of which only files are of interest. */
export function answering(control: MirrorControl): Answering {
  return {
    control,
    batches: { list: () => [], show: () => null } as Partial<BatchControl> as BatchControl,
    status: () => control.status() as AppStatus,
  };
}

export class FakeControl implements MirrorControl {
  readonly told: string[] = [];
  current: AppStatus = status();
  paths: PathReport[] = [report()];
  result: FlushResult = { problems: [], halts: [] };
  /** When set, waits never end by themselves. */
  hangs = false;
  /** Called when such a wait begins. */
  onWait = (): void => {};

  status(): AppStatus {
    return this.current;
  }
  report(path: string): PathReport | null {
    return this.paths.find((report) => report.path === path) ?? null;
  }
  reports(): Iterable<PathReport> {
    return this.paths;
  }
  async flush(signal: AbortSignal): Promise<FlushResult> {
    if (this.hangs) await this.#wait(signal);
    return this.result;
  }
  async waitFor(path: string, signal: AbortSignal): Promise<PathReport> {
    if (this.hangs) await this.#wait(signal);
    return this.report(path) ?? report({ path, id: null, state: 'failed', reason: 'no such file' });
  }
  #wait(signal: AbortSignal): Promise<never> {
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      this.onWait();
    });
  }
  async retry(wanted: readonly string[] | null): Promise<readonly string[]> {
    this.told.push(`retry ${wanted?.join(' ') ?? 'all'}`);
    return wanted ?? ['batch/a.jsonl', 'batch/b.jsonl'];
  }

  async approve(folder: string | null): Promise<number> {
    this.told.push(`approve ${folder}`);
    return 3;
  }
  pause(): void {
    this.told.push('pause');
  }
  resume(): void {
    this.told.push('resume');
  }
  async verify(repair: boolean): Promise<VerifyReport> {
    return {
      version: 1,
      checked: 1,
      unjudged: [],
      missing: [],
      differing: [],
      expired: [],
      usage: [],
      repaired: repair,
    };
  }
  async deleteOrphans(): Promise<number> {
    this.told.push('delete orphans');
    return 2;
  }
  async rescan(): Promise<void> {
    this.told.push('rescan');
  }
}
