'use strict';
// Loaded into each peer before its own code: what is no business of the test, e.g. a look for updates, reaches nobody.
const net = require('node:net');

// oxlint-disable-next-line typescript/unbound-method
const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  // Node hands over its own normalised form, `[[options, callback]]`, or what the caller gave.
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  const host = options !== null && typeof options === 'object' ? options.host : args[1];
  if (typeof host === 'string' && !/^(localhost|127\..*|::1|::ffff:127\..*|0\.0\.0\.0|::)$/.test(host)) {
    process.nextTick(() =>
      this.destroy(Object.assign(new Error(`${host} is not this machine`), { code: 'ENETUNREACH' })),
    );
    return this;
  }
  return connect.apply(this, args);
};
