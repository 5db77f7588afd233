/** The grammar of a JSON number as a table, so that long arrays of numbers are walked through byte by byte without thought. */

/** No number can be in this state. */
export const NUMBER_DEAD = 0;
const MINUS = 1;
const ZERO = 2;
const INTEGER = 3;
const POINT = 4;
const FRACTION = 5;
const EXPONENT = 6;
const SIGN = 7;
const POWER = 8;
/** Before the first byte. */
export const NUMBER_START = 9;

/** For each state, the bytes that go on and where they lead. */
const STEPS: readonly (readonly [from: number, bytes: string, to: number])[] = [
  [NUMBER_START, '-', MINUS],
  [NUMBER_START, '0', ZERO],
  [NUMBER_START, '123456789', INTEGER],
  [MINUS, '0', ZERO],
  [MINUS, '123456789', INTEGER],
  [ZERO, '.', POINT],
  [ZERO, 'eE', EXPONENT],
  [INTEGER, '0123456789', INTEGER],
  [INTEGER, '.', POINT],
  [INTEGER, 'eE', EXPONENT],
  [POINT, '0123456789', FRACTION],
  [FRACTION, '0123456789', FRACTION],
  [FRACTION, 'eE', EXPONENT],
  [EXPONENT, '+-', SIGN],
  [EXPONENT, '0123456789', POWER],
  [SIGN, '0123456789', POWER],
  [POWER, '0123456789', POWER],
];

/** `TABLE[state << 8 | byte]` is the next state. */
const TABLE = new Uint8Array((NUMBER_START + 1) << 8);
for (const [from, bytes, to] of STEPS) {
  for (const byte of Buffer.from(bytes)) TABLE[(from << 8) | byte] = to;
}

/** True when a number that came this far is complete. */
export function numberMayEnd(state: number): boolean {
  return state === ZERO || state === INTEGER || state === FRACTION || state === POWER;
}

/** The state after one more byte; `NUMBER_DEAD` if the byte is no part of the number. */
export function numberStep(state: number, byte: number): number {
  return TABLE[(state << 8) | byte]!;
}
