/** Why a first-level file of the root is not mirrored. */
export function hintForRootFile(folders: readonly string[]): string {
  return `a file in the root itself is not mirrored; move it into one of the purpose folders (${folders.join(', ')})`;
}

/** Why a first-level folder of the root is not mirrored, with the name that was probably meant. */
export function hintForFolder(name: string, folders: readonly string[]): string {
  const meant = nearestFolder(name, folders);
  const hint = 'no purpose folder of this name is configured';
  return meant === null ? hint : `${hint}; did you mean "${meant}"?`;
}

/** The folder whose name differs only by case, separators, or at most two slips of the keyboard; null if none does. */
export function nearestFolder(name: string, folders: readonly string[]): string | null {
  const wanted = withoutStyle(name);
  let nearest: string | null = null;
  // Two slips in a name of four letters make another word.
  let nearestDistance = Math.min(2, Math.floor(wanted.length / 3)) + 1;
  for (const folder of folders) {
    const distance = editDistance(wanted, withoutStyle(folder));
    if (distance < nearestDistance) {
      nearest = folder;
      nearestDistance = distance;
    }
  }
  return nearest;
}

function withoutStyle(name: string): string {
  return name.toLowerCase().replace(/[\s._-]/g, '');
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
