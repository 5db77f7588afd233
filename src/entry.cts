#!/usr/bin/env node
// The way in: says in one line that a Node is too old, where the program itself would end in a `SyntaxError`.
// This file must parse on such a Node: ES5, and `import()`, which Node 12 knows.
/* eslint no-var: off, prefer-const: off */
var needed = /\d+\.\d+/.exec(require('../package.json').engines.node)![0];
var wanted = needed.split('.').map(Number);
var found = process.versions.node.split('.').map(Number);

if (found[0]! < wanted[0]! || (found[0] === wanted[0] && found[1]! < wanted[1]!)) {
  process.stderr.write(
    'files-mirror: needs Node.js ' +
      needed +
      ' or newer; ' +
      process.execPath +
      ' is ' +
      process.version +
      '\n',
  );
  // The same as for whatever else a person must put right first, so that systemd does not start it again.
  process.exitCode = 78;
} else {
  void import('./main.js');
}
