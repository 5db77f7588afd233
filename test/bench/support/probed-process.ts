/**
 * Loaded before the program (`--import`): watches the turns of its event loop, and tells the longest one when asked
 * over the channel to its parent, each time anew. On a machine that others use too a turn is best measured by the
 * processor time of its thread: what others took of the processor meanwhile is not the program's.
 */
export interface LongestTurn {
  readonly wallMs: number;
  readonly cpuMs: number;
}

const TICK_MS = 5;

function now(): LongestTurn {
  const { user, system } = process.threadCpuUsage();
  return { wallMs: performance.now(), cpuMs: (user + system) / 1000 };
}

let last = now();
let longest: LongestTurn = { wallMs: 0, cpuMs: 0 };

setInterval(() => {
  const { wallMs, cpuMs } = now();
  longest = {
    wallMs: Math.max(longest.wallMs, wallMs - last.wallMs),
    cpuMs: Math.max(longest.cpuMs, cpuMs - last.cpuMs),
  };
  last = { wallMs, cpuMs };
}, TICK_MS).unref();

process.on('message', () => {
  process.send?.(longest);
  longest = { wallMs: 0, cpuMs: 0 };
});
process.channel?.unref();
