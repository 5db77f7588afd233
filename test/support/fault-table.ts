/**
 * What goes wrong, what files-mirror does then, and what the user sees: the README's table, and for each row the
 * test that proves it. `test/scenarios/fault-table.test.ts` checks that the tests exist and the README is current.
 */

export interface FaultRow {
  readonly fault: string;
  readonly does: string;
  readonly userSees: string;
  /** Below `test/scenarios`. */
  readonly testFile: string;
  /** As the test runner shows it. */
  readonly testTitle: string;
}

export const faultTableBegin = '<!-- faults:begin -->';
export const faultTableEnd = '<!-- faults:end -->';

export const faultTable: readonly FaultRow[] = [
  {
    fault: 'The root is unmounted, also lazily',
    does: 'sends and deletes nothing; when it is mounted again, looks at everything and goes on',
    userSees: '`HALTED root`, exit 5; it ends by itself',
    testFile: 'guards-root.test.ts',
    testTitle: 'B10: umount of the root while running halts; mounted again it goes on by itself',
  },
  {
    fault: 'Started while the root is not mounted',
    does: 'creates, sends and deletes nothing',
    userSees: '`HALTED root`: the marker is missing, the disk may not be mounted',
    testFile: 'guards-root.test.ts',
    testTitle: 'B11: started while the root is unmounted: nothing is planned, created or deleted',
  },
  {
    fault: 'Another disk or another mirror’s folder in place of the root',
    does: 'sends and deletes nothing, whatever is on it',
    userSees: '`HALTED root`: belongs to another mirror, with its id',
    testFile: 'guards-root.test.ts',
    testTitle: 'B10: another mirror’s disk in its place halts, whatever is on it',
  },
  {
    fault: 'The disk of one purpose folder is unmounted',
    does: 'deletes nothing of that folder; uploads go on',
    userSees: '`HALTED mass-delete (FOLDER)`: it is on another disk; ends when the disk is back',
    testFile: 'guards-root.test.ts',
    testTitle: 'B10: a purpose folder on a disk of its own, unmounted: its files are not deleted',
  },
  {
    fault: 'More than half of the files, and more than 10, disappear',
    does: 'holds the deletes; uploads go on; files that come back cancel them',
    userSees: '`HALTED mass-delete`, e.g. 600/1000, and the command that approves them',
    testFile: 'guards-delete.test.ts',
    testTitle: 'B8: 600 of 1,000 files removed: none is deleted until that is approved, uploads go on',
  },
  {
    fault: 'They disappear one after another, over up to an hour',
    does: 'counts what it let go in the last hour, across restarts: holds the deletes from more than half on',
    userSees: '`HALTED mass-delete`, with how many are deleted remotely already',
    testFile: 'guards-delete.test.ts',
    testTitle: 'B8: 40 files removed a few at a time: half of them go, the rest waits until that is approved',
  },
  {
    fault: 'A purpose folder is removed as a whole',
    does: 'holds its deletes; everything else goes on',
    userSees: '`HALTED mass-delete (FOLDER)`',
    testFile: 'guards-delete.test.ts',
    testTitle: 'B14: a purpose folder that is removed as a whole halts its deletes, others go on',
  },
  {
    fault: 'A folder cannot be listed (permissions, disk errors)',
    does: 'takes nothing below it for gone; everything else goes on',
    userSees: 'the folder in `status`, with the error',
    testFile: 'guards-delete.test.ts',
    testTitle: 'B16: below a folder that cannot be listed nothing counts as gone; others proceed',
  },
  {
    fault: 'The key is refused (401, 403), for a request that concerns no file too',
    does: 'sends nothing but one probe a minute; files stay queued',
    userSees: '`HALTED auth`, exit 77; a new key and `SIGHUP` end it at once',
    testFile: 'guards-api.test.ts',
    testTitle: 'D10: 401 halts everything; one probe a minute; it goes on by itself when the key works',
  },
  {
    fault: 'The key is of another project, or the address leads to another server',
    does: 'looks up a few recorded ids at once, also when nothing is to be sent; when none is known, sends nothing and forgets no id',
    userSees: '`HALTED scope`, exit 5, with what changed; it ends when the ids are known again',
    testFile: 'scope.test.ts',
    testTitle:
      'D14: another server on the same host knows none of the ids: HALTED scope, nothing sent, nothing forgotten',
  },
  {
    fault: 'The key is exchanged for another one of the same project',
    does: 'finds a recorded id by one look-up, goes on and remembers the new key; tries again what the API had refused',
    userSees: 'nothing',
    testFile: 'scope.test.ts',
    testTitle: 'D14: the same server under another address is recognised by its ids, and remembered',
  },
  {
    fault: 'Storage or credit is used up',
    does: 'holds uploads, tries one after a long and growing wait; deletes go on',
    userSees: '`HALTED quota`, exit 5; it ends by itself',
    testFile: 'guards-api.test.ts',
    testTitle: 'D13: a full storage (400) halts uploads, deletes go on; it tries again after a long wait',
  },
  {
    fault: 'Too many requests (429)',
    does: 'holds all uploads, all deletes, or all questions (lists, look-ups), for as long as `Retry-After` says, else with growing waits; then tries one',
    userSees: 'why the uploads wait, and for how long, in `status`; of both a few lines in the log',
    testFile: 'server-faults-rate.test.ts',
    testTitle: 'D1, D2: after a 429 with Retry-After in seconds the whole lane waits that long, and says so',
  },
  {
    fault: 'Stopped or killed in the middle of a busy minute',
    does: 'remembers what the last 60 s held; no window exceeds the limit across the restart',
    userSees: 'nothing',
    testFile: 'server-faults-rate.test.ts',
    testTitle: 'D3, D4: in no 60 s more uploads than configured, also over a kill -9 and a restart',
  },
  {
    fault: 'A 5xx, a reset or a timeout after the file was stored',
    does: 'finds the file in the list and adopts it; it is not sent again',
    userSees: '`adopted` in the log',
    testFile: 'server-faults-errors.test.ts',
    testTitle: 'D6: a 500 after it was stored: found in the list and adopted, not sent again',
  },
  {
    fault: 'The connection breaks while a file is sent',
    does: 'sends it again; a body that was cut off stores nothing',
    userSees: '`failed` with the cause and the next try, once',
    testFile: 'server-faults-errors.test.ts',
    testTitle: 'D7: the connection breaks in the middle of the body: sent again at once, nothing left over',
  },
  {
    fault: 'The server does not answer',
    does: 'gives up in time (`api.timeoutSeconds`, more for large files); other uploads go on',
    userSees: '`failed`: no complete answer in time',
    testFile: 'server-faults-errors.test.ts',
    testTitle: 'D8: a server that takes the body and says nothing: given up in time, others go on meanwhile',
  },
  {
    fault: 'The server refuses one file (400, 401, 403, 413, 422), and accepts others',
    does: 'leaves it alone until its bytes change; an older remote version stays',
    userSees: '`rejected` with the server’s words',
    testFile: 'server-faults-errors.test.ts',
    testTitle: 'D11: a file that the server refuses is parked with the server’s words until its bytes change',
  },
  {
    fault: 'Every request is refused (400 of a gateway that misses a header)',
    does: 'rejects no file for it; waits, and asks ever more seldom',
    userSees: 'the server’s words in `status`, as the reason why uploads wait',
    testFile: 'refusals.test.ts',
    testTitle: 'D11: a refusal that every request meets rejects no file; when it is over, all are mirrored',
  },
  {
    fault: 'A DELETE of one file is refused (403)',
    does: 'keeps that file as ours and tries again; nothing else waits for it',
    userSees: 'the id and the server’s words in the log; counted in `status`',
    testFile: 'refusals.test.ts',
    testTitle: 'D14: 403 to one DELETE halts nothing; that remote file stays ours, and is named',
  },
  {
    fault: 'A DELETE fails',
    does: 'tries again, over restarts too; 404 is as good as done',
    userSees: 'remote files still to be deleted, counted in `status`',
    testFile: 'server-faults-errors.test.ts',
    testTitle: 'D15: a DELETE that meets 409 is tried again, over a kill -9 too',
  },
  {
    fault: 'Somebody deletes a remote file',
    does: 'notices it at the next verification, makes sure, and uploads it again',
    userSees: 'a warning that names the file',
    testFile: 'server-faults-errors.test.ts',
    testTitle: 'D16: a remote file that somebody deleted is found missing and uploaded again',
  },
  {
    fault: 'The network is down',
    does: 'probes with one upload at a time, ever more seldom; then sends everything',
    userSees: 'the cause in `status`, and few lines in the log; `sync` and `flush` exit 69',
    testFile: 'server-faults-network.test.ts',
    testTitle:
      'D20: the network is down: one probe at a time, few words, and everything is sent when it is back',
  },
  {
    fault: 'No trusted TLS connection',
    does: 'tries again, ever more seldom; no file is rejected',
    userSees: '“no trusted TLS connection” in `status` and log',
    testFile: 'server-faults-network.test.ts',
    testTitle:
      'D21: a server without TLS behind an https URL: named as such, tried again, no file is rejected',
  },
  {
    fault: 'A wrong base URL',
    does: 'waits and probes; no file is rejected',
    userSees: '“is the base URL right?”',
    testFile: 'server-faults-network.test.ts',
    testTitle: 'D21: a base URL with a wrong path: named as such, no file is rejected',
  },
  {
    fault: 'A captive portal answers 200 with HTML',
    does: 'takes nothing for stored and nothing for refused',
    userSees: '`failed`, with the beginning of the reply',
    testFile: 'server-faults-lies.test.ts',
    testTitle: 'HTML with 200 instead of the API: nothing counts as stored, nothing as refused',
  },
  {
    fault: 'The server says that other bytes, or another purpose, were stored',
    does: 'asks about that file once more; if it says the same again, holds the version: it is kept, not sent again, and deleted with its file',
    userSees:
      '`rejected` with what it said and what to do (`api.trustReply`, `retry`); ids kept aside are counted in `status`',
    testFile: 'server-faults-lies.test.ts',
    testTitle: 'other bytes in every reply: held by name, not sent again by a touch, a restart or a sync',
  },
  {
    fault: 'The server leaves out the size, the purpose, the name or the time of a file',
    does: 'takes what was sent for it',
    userSees: 'nothing',
    testFile: 'server-faults-lies.test.ts',
    testTitle:
      'a server that says no purpose, no name and no time contradicts nothing: four files are four uploads, whatever comes after',
  },
  {
    fault: 'The server gives the id of another file',
    does: 'touches neither file, and looks for the true id in the list for `api.lookSeconds`; never sends the version again by itself',
    userSees: '`failed`, then `rejected`, with the file that the id belongs to',
    testFile: 'server-faults-lies.test.ts',
    testTitle: 'an id of another file, and no true one in the list: named, and never sent again by itself',
  },
  {
    fault: 'A reply is lost, and several listed files may be the upload',
    does: 'uses and deletes none of them, and sends nothing again',
    userSees: '`rejected`, with their ids',
    testFile: 'server-faults-lies.test.ts',
    testTitle:
      'two files of which one may be a lost upload: neither is used or deleted, and nothing is sent again',
  },
  {
    fault:
      'A list of capped pages, without word on more, in another order, or that refuses what is asked of it',
    does: 'reads on until a page brings nothing new, asking for no more than the server takes',
    userSees: 'nothing',
    testFile: 'listings.test.ts',
    testTitle: 'oldest first: an upload whose reply was lost is found behind many others and adopted',
  },
  {
    fault: 'A list with entries that cannot be read',
    does: 'passes over them, unless one could be an upload that is looked for',
    userSees: 'a warning with how many and which field',
    testFile: 'listings.test.ts',
    testTitle: 'odd entries of others: a lost reply is adopted all the same, and they are named once',
  },
  {
    fault: 'A list that never ends',
    does: 'stops reading when a page brings nothing new',
    userSees: 'nothing',
    testFile: 'server-faults-lies.test.ts',
    testTitle: 'a list that never ends: the lost upload is found in it all the same',
  },
  {
    fault: '`kill -9` or a crash while a file is sent',
    does: 'finds out at the next start whether it arrived; it is there once',
    userSees: 'nothing',
    testFile: 'state-crash.test.ts',
    testTitle: 'C2: after the server stored it, before the reply was read: adopted, not sent again',
  },
  {
    fault: 'The disk of the state folder is full',
    does: 'uploads and deletes nothing, since it could not be recorded',
    userSees: '`HALTED state`, exit 5; it ends by itself when there is room',
    testFile: 'state-disk.test.ts',
    testTitle:
      'full: uploads and deletes halt, since they could not be recorded; with space again it goes on by itself',
  },
  {
    fault: 'The state folder cannot be written at the start',
    does: 'does not start',
    userSees: 'exit 78, the cause, and what to do',
    testFile: 'state-disk.test.ts',
    testTitle: 'C9: read-only: exit 78 at the start, with the cause and what to do',
  },
  {
    fault: 'The manifest is damaged, or of a newer version',
    does: 'does not start; leaves the file as it is, sends nothing',
    userSees: 'exit 78, and what to do',
    testFile: 'state-manifest.test.ts',
    testTitle: 'C6: cut in half: exit 78 with what to do; the file stays as it is, nothing is sent',
  },
  {
    fault: 'The last line of the journal is torn (power cut)',
    does: 'drops it and goes on',
    userSees: 'nothing',
    testFile: 'state-manifest.test.ts',
    testTitle: 'C6: a torn last line of the journal is healed without a word',
  },
  {
    fault: 'The manifest is lost',
    does: 'does not start, lest everything be uploaded a second time',
    userSees: 'exit 78, naming `files-mirror adopt`',
    testFile: 'state-manifest.test.ts',
    testTitle: 'C7: a manifest that is lost: exit 78 naming adopt; nothing is uploaded a second time',
  },
  {
    fault: 'Another process took the state folder over (after a long suspension)',
    does: 'notices within seconds, records and sends nothing from then on, and ends',
    userSees: 'exit 6, with the pid of the other',
    testFile: 'state-lock.test.ts',
    testTitle: 'C10: a daemon whose state folder another process took over ends by itself, with exit 6',
  },
  {
    fault: 'A second files-mirror on the same folder',
    does: 'does not start; after `kill -9` of the first the lock is free',
    userSees: 'exit 6, with the pid of the first',
    testFile: 'state-lock.test.ts',
    testTitle: 'C10: a second daemon on the same state folder exits 6 and names the pid of the first',
  },
  {
    fault: 'The daemon is stopped by a signal, or its loop is blocked',
    does: 'waits for nothing longer than some seconds: `status`, `list` and `id` tell what was recorded last',
    userSees: '“does not answer”, with the pid and what to do; exit 3',
    testFile: 'silent-process.test.ts',
    testTitle: 'keeps nobody waiting: what was recorded is told, and who does not answer',
  },
  {
    fault: 'A file or folder cannot be read (permissions)',
    does: 'takes it neither for gone nor for done; everything else goes on',
    userSees: '`skipped` with the error, named first in `status`; `sync`, `flush` and `plan` exit 1',
    testFile: 'never-silent.test.ts',
    testTitle: 'a file that cannot be read makes plan, sync and flush end with 1',
  },
  {
    fault: 'The wall clock jumps',
    does: 'neither bursts nor stalls: limits and waits go by a clock that cannot jump',
    userSees: 'nothing',
    testFile: 'state-clock.test.ts',
    testTitle: 'C14: the wall clock jumps a day ahead: no burst of uploads, and no stall',
  },
  {
    fault: '`SIGTERM` while uploads are under way',
    does: 'starts no other, lets them end for 15 s, breaks off the rest and finds out about it at the next start',
    userSees: 'exit 0 within 20 s; a second signal ends it at once',
    testFile: 'stopping.test.ts',
    testTitle:
      'C12: SIGTERM with 20 uploads that never end: exit 0 within 20 s; what was stored is adopted later',
  },
  {
    fault: '`SIGHUP` with a bad configuration',
    does: 'keeps the old one',
    userSees: 'the error in the log, with the place',
    testFile: 'stopping.test.ts',
    testTitle: 'C13: SIGHUP with a bad configuration keeps the old one and says why',
  },
  {
    fault: 'No inotify watches are left',
    does: 'polls instead',
    userSees: 'a warning with the sysctl and the number needed; `watching: polling (inotify limit)`',
    testFile: 'watching.test.ts',
    testTitle: 'F3: no inotify watches left: goes on by polling and names the sysctl and the number needed',
  },
];

/** As Markdown. */
export function renderFaultTable(): string {
  const rows = faultTable.map(
    ({ fault, does, userSees }) => `| ${cell(fault)} | ${cell(does)} | ${cell(userSees)} |`,
  );
  return ['| fault | what files-mirror does | what you see |', '| --- | --- | --- |', ...rows].join('\n');
}

/** The text with what stands between the two markers replaced; null when it has no markers. */
export function withFaultTable(readme: string): string | null {
  const begin = readme.indexOf(faultTableBegin);
  const end = readme.indexOf(faultTableEnd);
  if (begin === -1 || end < begin) return null;
  return `${readme.slice(0, begin + faultTableBegin.length)}\n${renderFaultTable()}\n${readme.slice(end)}`;
}

function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`);
}
