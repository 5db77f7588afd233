/**
 * The inside of JSON strings, walked through sixteen bytes at a time.
 *
 * Nearly all of a batch file is the inside of long strings. A loop in JavaScript needs as long for them as SHA-256
 * does; SIMD instructions need a fifth of that, and WebAssembly is where JavaScript can reach them. The one function
 * is written down here instruction by instruction, so that there is no compiler to install and no binary to trust.
 */

/** Larger chunks are worked on in blocks of this size, which stay in the processor's cache. */
export const BLOCK_BYTES = 64 * 1024;

const PAGE_BYTES = 64 * 1024;
/** Memory: the table of byte classes, then the block. The last load may reach beyond the block, never beyond the memory. */
const BLOCK_AT = 256;
const PAGES = Math.ceil((BLOCK_AT + BLOCK_BYTES + 16) / PAGE_BYTES);

/** May follow a backslash, `u` aside. */
const SIMPLE_ESCAPE = 1;
const HEX_DIGIT = 2;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;
const LETTER_U = 0x75;

// Parameters and locals of the function.
const AT = 0;
const END = 1;
const CHUNK = 2;
const HITS = 3;

// Instructions and types. Source: the WebAssembly core specification, binary format.
const I32 = 0x7f;
const V128 = 0x7b;
const VOID = 0x40;
const LOOP = 0x03;
const IF = 0x04;
const CLOSE = 0x0b;
const BR = 0x0c;
const RETURN = 0x0f;
const GET = 0x20;
const SET = 0x21;
const TEE = 0x22;
const LOAD8 = (offset: number): number[] => [0x2d, 0x00, ...unsigned(offset)];
const CONST = (value: number): number[] => [0x41, ...signed(value)];
const EQZ = 0x45;
const EQ = 0x46;
const LE_U = 0x4d;
const GE_U = 0x4f;
const CTZ = 0x68;
const ADD = 0x6a;
const AND = 0x71;
const V128_LOAD = [0xfd, 0x00, 0x00, 0x00];
const SPLAT = [0xfd, 0x0f];
const EACH_EQ = [0xfd, 0x23];
const EACH_LT_U = [0xfd, 0x26];
const V128_OR = [0xfd, 0x50];
const BITMASK = [0xfd, 0x64];

/** The class of the byte that stands `offset` behind `at`. */
const CLASS_AT = (offset: number): number[] => [GET, AT, ...LOAD8(offset), ...LOAD8(0)];
/** Moves `at` on. */
const ADVANCE = (step: number): number[] => [GET, AT, ...CONST(step), ADD, SET, AT];

/** `skip(at, end)`: see `skipString`. */
const SKIP = [
  [LOOP, VOID],
  // Sixteen bytes at a time, until one of them is special.
  [LOOP, VOID],
  [GET, AT, GET, END, GE_U, IF, VOID, GET, END, RETURN, CLOSE],
  [GET, AT, ...V128_LOAD, TEE, CHUNK],
  [...CONST(QUOTE), ...SPLAT, ...EACH_EQ],
  [GET, CHUNK, ...CONST(BACKSLASH), ...SPLAT, ...EACH_EQ, ...V128_OR],
  [GET, CHUNK, ...CONST(FIRST_PRINTABLE), ...SPLAT, ...EACH_LT_U, ...V128_OR],
  [...BITMASK, TEE, HITS, EQZ],
  [IF, VOID, ...ADVANCE(16), BR, 1, CLOSE],
  [CLOSE],
  // To the first special byte; past the end it is none of ours.
  [GET, AT, GET, HITS, CTZ, ADD, TEE, AT, GET, END, GE_U, IF, VOID, GET, END, RETURN, CLOSE],
  // A whole, valid escape is part of the string: go on behind it.
  [GET, AT, ...LOAD8(0), ...CONST(BACKSLASH), EQ, IF, VOID],
  [GET, AT, ...CONST(2), ADD, GET, END, LE_U, IF, VOID],
  [...CLASS_AT(1), ...CONST(SIMPLE_ESCAPE), AND, IF, VOID, ...ADVANCE(2), BR, 3, CLOSE],
  [CLOSE],
  [GET, AT, ...CONST(6), ADD, GET, END, LE_U, IF, VOID],
  [GET, AT, ...LOAD8(1), ...CONST(LETTER_U), EQ, IF, VOID],
  [...CLASS_AT(2), ...CLASS_AT(3), AND, ...CLASS_AT(4), AND, ...CLASS_AT(5), AND, ...CONST(HEX_DIGIT), AND],
  [IF, VOID, ...ADVANCE(6), BR, 4, CLOSE],
  [CLOSE, CLOSE, CLOSE],
  [CLOSE, GET, AT, CLOSE],
].flat();

const MODULE = Uint8Array.from(
  [
    [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    section(1, [[0x60, 2, I32, I32, 1, I32]]),
    section(3, [[0]]),
    section(5, [[0x01, PAGES, PAGES]]),
    section(7, [
      [...named('memory'), 0x02, 0],
      [...named('skip'), 0x00, 0],
    ]),
    section(10, [sized([2, 1, V128, 1, I32, ...SKIP])]),
  ].flat(),
);

/** As much of the global as is used here; the types of Node leave it to those of browsers. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
};

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly skip: (at: number, end: number) => number;
}

const { memory, skip } = new WebAssembly.Instance(new WebAssembly.Module(MODULE)).exports as Exports;
const block = Buffer.from(memory.buffer, BLOCK_AT, BLOCK_BYTES);

const classes = new Uint8Array(memory.buffer, 0, BLOCK_AT);
for (const byte of Buffer.from('"\\/bfnrt')) classes[byte]! |= SIMPLE_ESCAPE;
for (const byte of Buffer.from('0123456789abcdefABCDEF')) classes[byte]! |= HEX_DIGIT;

/**
 * Takes in up to `BLOCK_BYTES` to work on, and returns them where `skipString` sees them.
 * INVARIANT: there is one block for all; nothing is awaited between this and the last look at what it returned.
 */
export function loadBlock(part: Uint8Array): Buffer {
  block.set(part);
  return block.subarray(0, part.length);
}

/**
 * From a position inside a string of the loaded block: the position of the first byte that is no part of the string,
 * which is its closing quote or a control character; or of the backslash of an escape that is not valid or not whole
 * before `end`; or `end`. Whether the text is UTF-8 is not looked at.
 */
export function skipString(from: number, end: number): number {
  return skip(BLOCK_AT + from, BLOCK_AT + end) - BLOCK_AT;
}

function section(id: number, items: readonly (readonly number[])[]): number[] {
  return [id, ...sized([...unsigned(items.length), ...items.flat()])];
}

function sized(content: readonly number[]): number[] {
  return [...unsigned(content.length), ...content];
}

function named(name: string): number[] {
  return sized([...Buffer.from(name)]);
}

/** LEB128, the variable-length integers of the format. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  const low = value & 0x7f;
  const rest = value >> 7;
  return (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)
    ? [low]
    : [low | 0x80, ...signed(rest)];
}
