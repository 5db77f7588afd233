/** A Files API with one folder of files, each named by its id: `results-server-process.ts FOLDER`. Prints its origin. */
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

const [folder = ''] = process.argv.slice(2);

const server = createServer((request, response) => {
  const [, id = '', isContent] = /\/files\/([\w-]+)(\/content)?$/.exec(request.url ?? '') ?? [];
  const path = join(folder, id);
  const bytes = statSync(path).size;
  if (isContent === undefined) {
    response.end(JSON.stringify({ id, object: 'file', bytes, purpose: 'batch_output', filename: id }));
    return;
  }
  response.writeHead(200, { 'content-length': bytes });
  createReadStream(path, { highWaterMark: 1024 * 1024 }).pipe(response);
});
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.stdin.on('end', () => process.exit()).resume();
