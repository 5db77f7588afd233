import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { StopRequest, watchSignals } from '../../src/service/signals.ts';

let source: EventEmitter;
let nowMs: number;
let exits: number[];
let reloads: number;

beforeEach(() => {
  vi.useFakeTimers();
  source = new EventEmitter();
  nowMs = 5000;
  exits = [];
  reloads = 0;
});
afterEach(() => void vi.useRealTimers());

const watch = () =>
  watchSignals({
    source,
    clock: { monotonicMs: () => nowMs },
    exit: (code) => exits.push(code),
    onReload: () => (reloads += 1),
  });

describe('signals', () => {
  test('the first one asks for a graceful end', () => {
    using watched = watch();
    expect(watched.signal.aborted).toBe(false);
    source.emit('SIGTERM');
    expect(watched.signal.reason).toBeInstanceOf(StopRequest);
    expect(exits).toEqual([]);
  });

  test('one that was sent twice, as npm does, is one', () => {
    using watched = watch();
    source.emit('SIGINT');
    nowMs += 299;
    source.emit('SIGINT');
    expect(watched.signal.aborted).toBe(true);
    expect(exits).toEqual([]);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])('a second %s ends at once with %i', (signal, code) => {
    using _ = watch();
    source.emit('SIGTERM');
    nowMs += 300;
    source.emit(signal);
    expect(exits).toEqual([code]);
  });

  test('after 20 s the end is no longer waited for, unless it has come', () => {
    {
      using _ = watch();
      source.emit('SIGTERM');
      vi.advanceTimersByTime(19_999);
      expect(exits).toEqual([]);
      vi.advanceTimersByTime(1);
      expect(exits).toEqual([143]);
    }
    {
      using _ = watch();
      source.emit('SIGTERM');
    }
    vi.advanceTimersByTime(60_000);
    expect(exits).toEqual([143]);
    expect(source.eventNames()).toEqual([]);
  });

  test('SIGHUP reloads and ends nothing', () => {
    using watched = watch();
    source.emit('SIGHUP');
    expect([reloads, watched.signal.aborted]).toEqual([1, false]);
  });

  test('SIGHUP keeps its meaning where nothing can be reloaded', () => {
    using _ = watchSignals({ source, clock: { monotonicMs: () => nowMs }, exit: () => {} });
    expect(source.listenerCount('SIGHUP')).toBe(0);
  });
});
