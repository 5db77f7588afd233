/**
 * The candidate that a mistyped name most probably means, or null when none is near. Case, blanks, `.`, `_`
 * and `-` do not count as differences; beyond that, one letter may be wrong, and two in a name of six or more.
 */
export function nearestName(name: string, candidates: Iterable<string>): string | null {
  const wanted = folded(name);
  let nearest: string | null = null;
  // Two slips in a name of four letters make another word.
  let nearestEdits = wanted.length < 6 ? 2 : 3;
  for (const candidate of candidates) {
    const edits = editDistance(wanted, folded(candidate));
    if (edits < nearestEdits) {
      nearest = candidate;
      nearestEdits = edits;
    }
  }
  return nearest;
}

/** `; did you mean "batch"?`, or nothing. `before`: what stands before the name, e.g. `--`. */
export function didYouMean(name: string, candidates: Iterable<string>, before = ''): string {
  const nearest = nearestName(name, candidates);
  return nearest === null ? '' : `; did you mean "${before}${nearest}"?`;
}

function folded(name: string): string {
  return name.toLowerCase().replaceAll(/[\s._-]/g, '');
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforePrevious: readonly number[] = [];
  let previous: readonly number[] = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = at(previous, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped =
        a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(beforePrevious, j - 2) + 1 : Infinity;
      current.push(Math.min(substituted, at(previous, j) + 1, at(current, j - 1) + 1, swapped));
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Infinity;
}
