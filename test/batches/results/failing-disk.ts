/** The disk, with one operation that fails, or after which nothing works any more, as for a process that was killed. */
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { realResultsDisk } from '../../../src/batches/results/results-disk.ts';
import type { ResultsDisk } from '../../../src/batches/results/results-disk.ts';

const COUNTED = new Set(['open', 'mkdir', 'rename', 'link', 'rm', 'write', 'sync', 'datasync', 'truncate']);

export class FailingDisk {
  /** What changes the disk, in order. */
  readonly done: string[] = [];
  readonly disk: ResultsDisk;
  readonly #failAt: number;
  readonly #code: string;
  readonly #isLast: boolean;

  /** `failAt`: the operation that fails, counted from 0. `isLast`: all later ones fail too. */
  constructor(failAt: number, code: string, isLast: boolean) {
    this.#failAt = failAt;
    this.#code = code;
    this.#isLast = isLast;
    this.disk = this.#watched(realResultsDisk, '');
  }

  get hasFailed(): boolean {
    return this.done.length > this.#failAt;
  }

  #watched<T extends object>(target: T, of: string): T {
    return new Proxy(target, {
      get: (_target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function' || typeof name !== 'string') return value;
        const call = (value as (...args: unknown[]) => unknown).bind(target);
        if (!COUNTED.has(name)) return call;
        return async (...args: unknown[]) => {
          const path = typeof args[0] === 'string' ? args[0] : of;
          if (name !== 'open' || !isForReading(args[1])) this.#count(name, path);
          const result = await call(...args);
          return name === 'open' ? this.#watched(result as FileHandle, path) : result;
        };
      },
    });
  }

  #count(name: string, path: string): void {
    const at = this.done.push(`${name} ${path}`) - 1;
    if (at !== this.#failAt && !(this.#isLast && at > this.#failAt)) return;
    throw Object.assign(new Error(`${this.#code}: simulated, ${name} '${path}'`), {
      code: this.#code,
      syscall: name,
    });
  }
}

function isForReading(flags: unknown): boolean {
  const { O_WRONLY, O_RDWR } = constants;
  return flags === 'r' || (typeof flags === 'number' && (flags & (O_WRONLY | O_RDWR)) === 0);
}
