import { readFileSync } from 'node:fs';

/** What the program's own `package.json` says of it. */
export interface OwnPackage {
  readonly version: string;
  readonly engines: { readonly node: string };
}

export function ownPackage(): OwnPackage {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as OwnPackage;
}
