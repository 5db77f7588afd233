import own from '../../package.json' with { type: 'json' };

/** What the program's own `package.json` says of it. */
export interface OwnPackage {
  readonly version: string;
  readonly engines: { readonly node: string };
}

export function ownPackage(): OwnPackage {
  return own;
}
