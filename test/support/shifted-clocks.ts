/**
 * Preloaded into the program under test (`node --import`): its clocks jump when `shiftClocks` says so. Timers that
 * run already do not.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { ClockShift } from './clock-shift.ts';

const order = process.env['CLOCK_SHIFT_FILE'];
if (order === undefined) throw new TypeError('CLOCK_SHIFT_FILE is not set');
let shift: ClockShift = { wallMs: 0, monotonicMs: 0 };
const wallMs = Date.now.bind(Date);
const monotonicMs = performance.now.bind(performance);
Date.now = () => wallMs() + shift.wallMs;
performance.now = () => monotonicMs() + shift.monotonicMs;

process.on('SIGUSR2', () => {
  shift = JSON.parse(readFileSync(order, 'utf8')) as ClockShift;
  // The answer that `shiftClocks` waits for.
  writeFileSync(`${order}.tmp`, '');
  renameSync(`${order}.tmp`, `${order}.done`);
});
