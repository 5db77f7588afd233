import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_RETRY_AFTER_MS, parseHttpDateMs, parseRetryAfterMs } from '../../src/remote/retry-after.ts';

const NOW_MS = Date.parse('Sat, 22 Nov 2025 12:00:00 GMT');

test.each([
  [{}, null],
  [{ 'retry-after': '7' }, 7_000],
  [{ 'retry-after': '0.5' }, 500],
  [{ 'retry-after': '120' }, 120_000],
  [{ 'retry-after-ms': '250', 'retry-after': '7' }, 250],
  [{ 'retry-after-ms': 'soon', 'retry-after': '7' }, 7_000],
  [{ 'retry-after': ['3', '9'] }, 3_000],
  [{ 'retry-after': 'Sat, 22 Nov 2025 12:00:30 GMT' }, 30_000],
  [{ 'retry-after': 'Saturday, 22-Nov-25 12:00:30 GMT' }, 30_000],
  // "At once" from a server that refuses is no measure.
  [{ 'retry-after': 'Sat, 22 Nov 2025 11:00:00 GMT' }, null],
  [{ 'retry-after': '0' }, null],
  [{ 'retry-after-ms': '0' }, null],
  // The server's clock is an hour ahead of ours: only its own difference counts.
  [{ 'retry-after': 'Sat, 22 Nov 2025 13:00:09 GMT', date: 'Sat, 22 Nov 2025 13:00:00 GMT' }, 9_000],
  [{ 'retry-after': '-5' }, null],
  [{ 'retry-after': '' }, null],
  [{ 'retry-after': 'later' }, null],
  [{ 'retry-after': '99999999999' }, MAX_RETRY_AFTER_MS],
])('%j is %j', (headers, expected) => {
  expect(parseRetryAfterMs(headers, NOW_MS)).toBe(expected);
});

test('whatever a server sends is a wait that a timer can take, or nothing', () => {
  const value = fc.oneof(fc.string(), fc.integer().map(String), fc.double().map(String));
  fc.assert(
    fc.property(value, value, value, (ms, after, date) => {
      const wait = parseRetryAfterMs({ 'retry-after-ms': ms, 'retry-after': after, date }, NOW_MS);
      if (wait !== null) {
        expect(Number.isInteger(wait)).toBe(true);
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(MAX_RETRY_AFTER_MS);
      }
    }),
  );
});

test('seconds and dates agree', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 86_400 }), (seconds) => {
      const until = new Date(NOW_MS + seconds * 1000).toUTCString();
      const byDate = parseRetryAfterMs({ 'retry-after': until }, NOW_MS);
      expect(byDate).toBe(parseRetryAfterMs({ 'retry-after': String(seconds) }, NOW_MS));
    }),
  );
});

test('a bare number is no date', () => {
  expect(parseHttpDateMs('7')).toBeNull();
});
