/** The thread behind `CheckThread`: the checks of several files at once, each fed in order. */
import { parentPort } from 'node:worker_threads';
import type { CheckReply, CheckRequest } from './check-thread.ts';
import { createDetailedCheck, type DetailedCheck } from './checks.ts';

const checks = new Map<number, DetailedCheck>();

parentPort?.on('message', (request: CheckRequest) => {
  const { file } = request;
  switch (request.kind) {
    case 'open':
      checks.set(file, createDetailedCheck(request.rules, request.fileName, request.sizeBytes));
      break;
    case 'write':
      checks.get(file)?.write(request.bytes);
      reply(null);
      break;
    case 'end': {
      const report = checks.get(file)?.end();
      reply(report === undefined ? null : { problem: report.problem, warnings: report.warnings });
      break;
    }
    case 'drop':
      checks.delete(file);
  }
});

function reply(message: CheckReply): void {
  parentPort?.postMessage(message);
}
