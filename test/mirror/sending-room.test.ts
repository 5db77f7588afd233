import { describe, expect, test } from 'vitest';
import { placeTopic, SendingRoom } from '../../src/mirror/waiting/sending-room.ts';
import { LARGE_BYTES } from '../../src/contract/turn.ts';
import { on, Worklist } from '../../src/mirror/waiting/worklist.ts';

/** A room in which small files of priority 0 have every place. */
function full(): SendingRoom {
  const room = new SendingRoom();
  while (room.enter(`a/${room.size}`, 0, 1));
  return room;
}

function worklist(...waiting: readonly (readonly [path: string, sizeBytes: number])[]): Worklist {
  const work = new Worklist(
    () => 0,
    () => 0,
  );
  for (const [path, sizeBytes] of waiting) {
    work.mark(path);
    work.take();
    work.done(path, on(placeTopic(sizeBytes)));
  }
  return work;
}

describe('the room for what is read or sent', () => {
  test('who was read in it keeps its place when it is to be sent, though the room is full', () => {
    const room = full();
    expect(room.enter('a/0', 0, 1)).toBe(true);
    expect(room.enter('a/late', 0, 1)).toBe(false);
  });

  test('a higher priority finds a place in a full room, an equal one does not', () => {
    const room = full();
    expect(room.enter('batch/urgent', 10, 1)).toBe(true);
    expect(room.enter('a/late', 0, 1)).toBe(false);
  });

  test('a place that was left is the next one’s', () => {
    const room = full();
    const work = worklist(['a/late', 1]);
    expect(room.next(work, 0)).toBeNull();
    room.leave('a/0');
    expect(room.next(work, 1)).toBeNull();
    expect(room.next(work, 0)).toBe('a/late');
  });

  test('however many large files wait, small ones find a place', () => {
    const room = new SendingRoom();
    let large = 0;
    while (room.enter(`a/large-${large}`, 0, LARGE_BYTES)) large += 1;
    expect(room.enter('a/small', 0, 1)).toBe(true);
    const work = worklist(['a/another-large', LARGE_BYTES], ['a/another-small', 1]);
    expect(room.next(work, 0)).toBe('a/another-small');
    expect(room.next(work, 0)).toBeNull();
    room.leave('a/large-0');
    expect(room.next(work, 0)).toBe('a/another-large');
  });
});
