/** `1 file`, `2 files`: the one place that knows about plurals. `others`: the plural of a noun that has one of its own. */
export function counted(count: number, noun: string, others = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : others}`;
}
