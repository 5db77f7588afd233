import type { BatchEvent } from './batch-report.ts';
import type { MirrorEvent } from './ports.ts';

/** Everything that happens: to files, and to batches. */
export type AppEvent = MirrorEvent | BatchEvent;

export type AppListener = (event: AppEvent) => void;
