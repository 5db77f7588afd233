import type {
  ApiMemory,
  Clock,
  FilesApi,
  Hint,
  Listener,
  LocalTree,
  Manifest,
} from '../../../src/contract/ports.ts';
import type { SimSettings } from './sim-profile.ts';

/** All that one incarnation of the engine gets from the world. */
export interface SimPorts {
  readonly clock: Clock;
  readonly local: LocalTree;
  readonly api: FilesApi;
  readonly manifest: Manifest;
  readonly apiMemory: ApiMemory;
  readonly settings: SimSettings;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Returns the function that ends the subscription. */
  readonly subscribe: (listener: (hint: Hint) => void) => () => void;
  readonly listener: Listener;
  /** When upload attempts of earlier incarnations ended, as the manifest knows it: `SimStateDir.recentAttemptsMs`. */
  readonly recentAttemptsMs: readonly number[];
  /** 1 for the first start of a life. */
  readonly incarnation: number;
}

export interface SimEngine {
  stop(): Promise<void>;
  /** A person approves what a mass-delete halt holds. */
  approve(): void;
}

export type StartEngine = (ports: SimPorts) => SimEngine | Promise<SimEngine>;

export interface LifeResult {
  readonly seed: number;
  /** Empty: all promises were kept. */
  readonly violations: readonly string[];
  /** The last things that happened, oldest first. */
  readonly trace: () => string[];
  readonly stats: {
    readonly virtualMs: number;
    readonly steps: number;
    readonly incarnations: number;
    readonly uploads: number;
    readonly deletes: number;
  };
}

/** A failed life as text for a person: the seed, what was violated, and what led to it. */
export function renderLife(result: LifeResult, lines = 200): string {
  const head = `seed ${result.seed}: ${result.violations.length} violations`;
  return [
    head,
    ...result.violations.map((violation) => `  - ${violation}`),
    ...result.trace().slice(-lines),
  ].join('\n');
}
