import { expect, test } from 'vitest';
import { AbortFan } from '../../src/queue/abort-fan.ts';

test('all who still wait are told the reason, once', () => {
  const fan = new AbortFan();
  const abort = new AbortController();
  const told: unknown[] = [];
  fan.wait(abort.signal, (reason) => told.push(['a', reason]));
  const stop = fan.wait(abort.signal, (reason) => told.push(['b', reason]));
  fan.wait(abort.signal, (reason) => told.push(['c', reason]));
  stop();
  abort.abort('stop');
  abort.abort('again');
  expect(told).toEqual([
    ['a', 'stop'],
    ['c', 'stop'],
  ]);
});

test('signals do not mix', () => {
  const fan = new AbortFan();
  const [one, other] = [new AbortController(), new AbortController()];
  const told: string[] = [];
  fan.wait(one.signal, () => void told.push('one'));
  fan.wait(other.signal, () => void told.push('other'));
  other.abort();
  expect(told).toEqual(['other']);
});
